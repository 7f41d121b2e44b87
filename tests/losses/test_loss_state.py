"""What a loss learns and remembers: saved, resumed bit for bit, still in evaluation mode, one for all processes."""

import io
import socket

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.functional import normalize

from facedistill.errors import UsageError
from facedistill.losses import LOSSES, build_loss
from facedistill.outputs import Outputs

BATCH, SIZE = 8, 6
REMEMBERING = ["adadistill", "ekd", "infonce", "margin", "neurons", "seed"]
QUEUES = ["infonce", "seed"]


def faces(seed, size=SIZE):
    generator = torch.Generator().manual_seed(seed)
    student, teacher = (torch.randn(BATCH, size, generator=generator) for _ in range(2))
    features = tuple(torch.randn(BATCH, 3 + n, 2, 2, generator=generator) for n in range(2))
    logits = torch.randn(BATCH, 9, generator=generator)
    return (
        Outputs(student, logits, features),
        Outputs(teacher, logits.roll(1, 0), tuple(maps.roll(1, 1) for maps in features)),
        torch.randint(4 + seed, (BATCH,), generator=generator),
    )


def saved_and_loaded(state):
    """Through a file, as a checkpoint does."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def equal(ours, theirs):
    return ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_every_loss_that_remembers_is_known_here():
    assert [name for name in sorted(LOSSES) if list(build_loss(name).buffers())] == REMEMBERING


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_a_fresh_loss_goes_on_from_a_state_dict_bit_for_bit(name):
    whole = build_loss(name)
    for seed in range(2):
        whole(*faces(seed))
    resumed = build_loss(name)
    resumed.load_state_dict(saved_and_loaded(whole.state_dict()))
    for seed in range(2, 4):
        assert torch.equal(whole(*faces(seed)), resumed(*faces(seed)))
    assert equal(resumed.state_dict(), whole.state_dict())


@pytest.mark.parametrize("name", REMEMBERING)
def test_memory_stands_still_in_evaluation_mode(name):
    loss = build_loss(name)
    loss.eval()
    loss(*faces(0))
    assert equal(loss.state_dict(), build_loss(name).state_dict())
    loss.train()
    loss(*faces(0))
    after = {key: value.clone() for key, value in loss.state_dict().items()}
    assert not equal(after, build_loss(name).state_dict())
    loss.eval()
    first = loss(*faces(1))
    assert torch.equal(first, loss(*faces(1)))
    assert equal(loss.state_dict(), after)


@pytest.mark.parametrize("name", ["adadistill", "margin"])
def test_centres_of_another_length_are_refused(name):
    loss = build_loss(name)
    loss(*faces(0))
    with pytest.raises(UsageError, match=f"{name!r}: its class centres are of length 6, the embedding of 7"):
        loss(*faces(1, size=7))


@pytest.mark.parametrize("on", ["features", "embedding"])
def test_regressors_are_shaped_by_the_first_batch_and_learn(on):
    loss = build_loss("fitnets", on=on)
    assert not list(loss.parameters())
    student, teacher, labels = faces(0)
    first = loss(student, teacher, labels)
    optimiser = torch.optim.SGD(loss.parameters(), lr=0.5)
    for _ in range(30):
        optimiser.zero_grad()
        loss(student, teacher, labels).backward()
        optimiser.step()
    assert loss(student, teacher, labels) < 0.8 * first


def test_regressors_leave_the_random_numbers_of_the_run_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    build_loss("fitnets")(*faces(0))
    assert torch.equal(torch.rand(3), expected)


def test_regressors_of_other_sizes_are_refused():
    loss = build_loss("fitnets", on="embedding")
    loss(*faces(0))
    with pytest.raises(UsageError, match=r"sizes \[\(6, 6\)\], not \[\(7, 7\)\]"):
        loss(*faces(1, size=7))


def test_neurons_keeps_the_units_that_tell_people_apart():
    """Units 0..2 are the person's, the others noise."""
    generator = torch.Generator().manual_seed(0)
    loss = build_loss("neurons", keep=0.5)
    people = torch.randn(5, 3, generator=generator)
    for _ in range(4):
        labels = torch.randint(5, (16,), generator=generator)
        teacher = torch.cat((people[labels], torch.randn(16, 3, generator=generator)), dim=1)
        loss(Outputs(torch.randn(16, 6, generator=generator)), Outputs(teacher), labels)
    assert loss.module.selected(teacher).tolist() == [1, 1, 1, 0, 0, 0]


def test_ekd_starts_at_the_first_batch_and_moves_slowly():
    loss = build_loss("ekd", momentum=0.25)
    loss(*faces(0))
    first = loss.module.thresholds.clone()
    fresh = build_loss("ekd")
    fresh(*faces(1))
    loss(*faces(1))
    torch.testing.assert_close(loss.module.thresholds, 0.25 * fresh.module.thresholds + 0.75 * first)


@pytest.mark.parametrize("name", QUEUES)
def test_a_queue_holds_the_last_teacher_embeddings_of_all_batches(name):
    loss = build_loss(name, queue=20)
    batches = [faces(seed) for seed in range(4)]
    for seen, batch in enumerate(batches, start=1):
        loss(*batch)
        rows = torch.cat([normalize(teacher.embedding) for _, teacher, _ in batches[:seen]])[-20:]
        assert torch.equal(loss.module.embeddings, rows)
    if name == "infonce":
        assert torch.equal(loss.module.labels, torch.cat([labels for _, _, labels in batches])[-20:])


@pytest.mark.parametrize("name", QUEUES)
def test_a_queue_that_has_forgotten_goes_on_bit_for_bit(name):
    whole = build_loss(name, queue=12)
    for seed in range(3):
        whole(*faces(seed))
    resumed = build_loss(name, queue=12)
    resumed.load_state_dict(saved_and_loaded(whole.state_dict()))
    for seed in range(3, 6):
        assert torch.equal(whole(*faces(seed)), resumed(*faces(seed)))
        assert equal(resumed.state_dict(), whole.state_dict())


@pytest.mark.parametrize("name", QUEUES)
def test_a_shorter_queue_goes_on_from_a_longer_one_with_its_end(name):
    """An option may be changed between two parts of a run."""
    long, short = build_loss(name, queue=24), build_loss(name, queue=10)
    for seed in range(3):
        long(*faces(seed))
    short.load_state_dict(saved_and_loaded(long.state_dict()))
    short(*faces(3))
    fresh = build_loss(name, queue=10)
    for seed in range(4):
        fresh(*faces(seed))
    assert equal(short.state_dict(), fresh.state_dict())


def test_infonce_is_blind_to_the_persons_other_faces_and_seed_is_not():
    student, teacher, labels = faces(0)
    zeros = torch.zeros_like(labels)
    for name, blind in (("infonce", True), ("seed", False)):
        values = []
        for other in (1, 2):
            loss = build_loss(name)
            loss(student, faces(other)[1], zeros)  # other faces of person 0
            loss.eval()
            values.append(loss(Outputs(student.embedding[:1]), Outputs(teacher.embedding[:1]), zeros[:1]))
        assert torch.equal(*values) == blind, name


def test_seed_of_a_cold_teacher_and_infonce_agree_where_nobody_is_seen_twice():
    labels = torch.arange(BATCH)
    student, teacher, _ = faces(0)
    cold = build_loss("seed", student_temperature=1 / 16, teacher_temperature=1e-4)(student, teacher, labels)
    torch.testing.assert_close(build_loss("infonce")(student, teacher, labels), cold)


@pytest.mark.parametrize("name", QUEUES)
def test_a_queue_of_another_length_of_embeddings_is_refused(name):
    loss = build_loss(name)
    loss(*faces(0))
    with pytest.raises(UsageError, match=f"{name!r}: its queue holds embeddings of length 6, the teacher's are of 7"):
        loss(*faces(1, size=7))


@pytest.mark.parametrize("name", QUEUES)
def test_a_gradient_may_be_taken_after_the_queue_went_on(name):
    """As with gradients of several batches that are summed."""
    loss = build_loss(name, queue=BATCH)
    student, teacher, labels = faces(0)
    student.embedding.requires_grad_()
    first = loss(student, teacher, labels)
    expected = torch.autograd.grad(first, student.embedding, retain_graph=True)
    loss(*faces(1))
    assert torch.equal(*expected, *torch.autograd.grad(first, student.embedding))


# ---- several processes --------------------------------------------------------------------------------------------


def _process(rank, count, port):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=count)
    for name in REMEMBERING:
        loss, alone = build_loss(name), build_loss(name)
        for seed in range(3):
            student, teacher, labels = faces(seed)
            part = slice(rank * BATCH // count, (rank + 1) * BATCH // count)
            value = loss(Outputs(student.embedding[part]), Outputs(teacher.embedding[part]), labels[part])
            initialised, dist.is_initialized = dist.is_initialized, lambda: False
            expected = alone(student, teacher, labels)  # one process that sees the whole batch
            dist.is_initialized = initialised
            for key, ours in loss.state_dict().items():
                torch.testing.assert_close(ours, alone.state_dict()[key], msg=f"{name}: {key}")
            dist.all_reduce(value)
            torch.testing.assert_close(value / count, expected, msg=name)
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_remember_what_one_with_the_whole_batch_remembers():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(_process, (2, port), nprocs=2)
