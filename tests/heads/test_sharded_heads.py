"""Sharded class centres: the plain head's loss and gradients, whatever the number of processes."""

import socket

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from facedistill.errors import FacedistillError, UsageError
from facedistill.heads import HEADS, ShardedHead, build_head, drop_parts, load_parts, save_part

SIZE, CLASSES, FACES = 6, 23, 8  # all faces together; 23 is parted unevenly
NAMES = sorted(HEADS)


def batch(seed, length=12.0):
    """The faces of all processes: lengths from 4 to 40, because some heads look at them."""
    generator = torch.Generator().manual_seed(seed)
    embedding = torch.randn(FACES, SIZE, generator=generator)
    embedding = length * embedding * torch.linspace(0.2, 1.5, FACES)[:, None]
    return embedding, torch.randint(CLASSES, (FACES,), generator=generator)


def mine(tensor, rank, count):
    return tensor.chunk(count)[rank]


def check_equals_plain(rank, count, name):
    """Three steps of SGD: the loss, the embedding's gradient and the centres stay the plain head's."""
    torch.manual_seed(3)
    sharded = ShardedHead(name, SIZE, CLASSES)
    plain = build_head(name, SIZE, CLASSES)
    with torch.no_grad():
        sharded.head.weight.copy_(plain.weight[sharded.first : sharded.end])
    optimisers = [torch.optim.SGD(head.parameters(), lr=0.5, momentum=0.9) for head in (sharded, plain)]
    for seed in range(3):
        embedding, labels = batch(seed)
        whole = embedding.clone().requires_grad_()
        # The oracle sees everybody's faces in one process, so it must not gather again.
        expected = _alone(lambda whole=whole, labels=labels: plain.loss(whole, labels))
        expected.backward()
        part = mine(embedding, rank, count).clone().requires_grad_()
        value = sharded.loss(part, mine(labels, rank, count))
        value.backward()
        torch.testing.assert_close(value, expected, atol=1e-5, rtol=1e-5)
        # The gradient before DDP's averaging is that of the own faces' mean.
        torch.testing.assert_close(part.grad, count * mine(whole.grad, rank, count), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(
            sharded.head.weight.grad, plain.weight.grad[sharded.first : sharded.end], atol=1e-5, rtol=1e-5
        )
        for (key, ours), (_, theirs) in zip(sharded.head.named_buffers(), plain.named_buffers(), strict=True):
            torch.testing.assert_close(ours, theirs, msg=f"{name}: {key}")
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad()
    torch.testing.assert_close(sharded.head.weight, plain.weight[sharded.first : sharded.end], atol=1e-5, rtol=1e-5)


def _alone(work):
    """Runs `work` as if there were no other process."""
    initialised, dist.is_initialized = dist.is_initialized, lambda: False
    try:
        return work()
    finally:
        dist.is_initialized = initialised


def check_sample(rank, count):
    """At rate 0.3 the loss is that of a softmax over the sampled classes, positives always among them."""
    torch.manual_seed(5)
    sharded = ShardedHead("arcface", SIZE, CLASSES, rate=0.3)
    torch.manual_seed(100 + rank)
    embedding, labels = batch(0)
    part = mine(embedding, rank, count).clone().requires_grad_()
    value = sharded.loss(part, mine(labels, rank, count))
    value.backward()
    touched = torch.zeros(CLASSES)
    touched[sharded.first : sharded.end] = sharded.head.weight.grad.abs().sum(dim=1)
    dist.all_reduce(touched)
    centres = torch.zeros(CLASSES, SIZE)
    centres[sharded.first : sharded.end] = sharded.head.weight.detach()
    dist.all_reduce(centres)
    chosen = touched.nonzero().squeeze(1)
    assert set(labels.tolist()) <= set(chosen.tolist())
    assert len(chosen) < CLASSES
    fewer = build_head("arcface", SIZE, len(chosen))
    with torch.no_grad():
        fewer.weight.copy_(centres[chosen])
    whole = embedding.clone().requires_grad_()
    expected = _alone(lambda: fewer.loss(whole, torch.searchsorted(chosen, labels)))
    expected.backward()
    torch.testing.assert_close(value, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(part.grad, count * mine(whole.grad, rank, count), atol=1e-5, rtol=1e-5)


def check_same_centres(rank, count, expected):
    torch.manual_seed(7)
    head = ShardedHead("amsoftmax", SIZE, CLASSES)
    assert torch.equal(head.head.weight, expected[head.first : head.end])


def stepped(rank, count, head, optimiser, seeds):
    for seed in seeds:
        embedding, labels = batch(seed)
        head.loss(mine(embedding, rank, count), mine(labels, rank, count)).backward()
        optimiser.step()
        optimiser.zero_grad()


def check_save(rank, count, folder):
    torch.manual_seed(9)
    head = ShardedHead("curricularface", SIZE, CLASSES)
    optimiser = torch.optim.SGD(head.parameters(), lr=0.1, momentum=0.9)
    stepped(rank, count, head, optimiser, range(2))
    save_part(folder, head, 2, optimiser)
    stepped(rank, count, head, optimiser, range(2, 4))
    save_part(folder, head, 4, optimiser)


def check_resume(rank, count, folder):
    """Two more steps from step 2 lead to step 4, whoever wrote step 2."""
    heads = [ShardedHead("curricularface", SIZE, CLASSES) for _ in range(2)]
    optimisers = [torch.optim.SGD(head.parameters(), lr=0.1, momentum=0.9) for head in heads]
    for head, optimiser, step in zip(heads, optimisers, (2, 4), strict=True):
        load_parts(folder, head, step, optimiser)
    stepped(rank, count, heads[0], optimisers[0], range(2, 4))
    torch.testing.assert_close(heads[0].head.weight, heads[1].head.weight, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(heads[0].head.t, heads[1].head.t)
    momenta = [o.state[h.head.weight]["momentum_buffer"] for h, o in zip(heads, optimisers, strict=True)]
    torch.testing.assert_close(*momenta, atol=1e-6, rtol=1e-5)


def _process(rank, count, port, jobs):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=count)
    for check, arguments in jobs:
        check(rank, count, *arguments)
    dist.destroy_process_group()


def spawn(count, *jobs):
    """Runs the jobs, each a check and its arguments, in `count` processes; raises what one of them raises."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(_process, (count, port, jobs), nprocs=count)


# ---- one process --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_one_process_holds_the_plain_head(name):
    check_equals_plain(0, 1, name)


def test_a_sample_keeps_the_positives_and_takes_the_share():
    torch.manual_seed(0)
    head = ShardedHead("amsoftmax", SIZE, 1000, rate=0.1)
    labels = torch.tensor([3, 999, 3, 500])
    head.loss(torch.randn(4, SIZE), labels).backward()
    touched = head.head.weight.grad.abs().sum(dim=1).nonzero().squeeze(1)
    assert len(touched) == 100
    assert {3, 500, 999} <= set(touched.tolist())


def test_more_positives_than_the_share_are_all_kept():
    head = ShardedHead("amsoftmax", SIZE, 10, rate=0.1)
    head.loss(torch.randn(8, SIZE), torch.arange(8)).backward()
    assert head.head.weight.grad[:8].abs().sum(dim=1).all()


def test_centres_are_drawn_as_a_plain_heads():
    torch.manual_seed(0)
    weight = ShardedHead("arcface", 64, 10_000).head.weight
    assert weight.std().item() == pytest.approx((2 / 10_064) ** 0.5, rel=0.01)
    assert len(weight.unique(dim=0)) == 10_000  # no block repeats another


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"name": "arc"}, "no head is called", id="an unknown head"),
        pytest.param({"rate": 0}, "rate", id="no class"),
        pytest.param({"rate": 1.5}, "at most 1", id="more than all"),
        pytest.param({"name": "softmax", "bias": True}, "bias", id="a bias"),
        pytest.param({"marginn": 0.2}, "no option 'marginn'", id="a misspelt option"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        ShardedHead(**{"name": "arcface", "embedding_size": SIZE, "classes": CLASSES, **arguments})


@pytest.mark.parametrize(
    ("embedding", "labels", "message"),
    [
        pytest.param(torch.zeros(2, 4), torch.tensor([0, 1]), r"embedding must be \[B, 6\]", id="another size"),
        pytest.param(torch.zeros(2, 6), torch.tensor([0]), r"labels must be int64 \[2\]", id="too few labels"),
        pytest.param(torch.zeros(2, 6), torch.tensor([0, 23]), r"classes 0\.\.22", id="no such class"),
    ],
)
def test_wrong_batches_are_refused(embedding, labels, message):
    with pytest.raises(UsageError, match=message):
        ShardedHead("arcface", SIZE, CLASSES).loss(embedding, labels)


def test_soft_labels_are_refused():
    with pytest.raises(UsageError, match="gives no logits"):
        ShardedHead("arcface", SIZE, CLASSES).scores(torch.zeros(1, SIZE))


def test_a_checkpoint_of_one_process_goes_on(tmp_path):
    check_save(0, 1, tmp_path)
    check_resume(0, 1, tmp_path)
    drop_parts(tmp_path, keep=4)
    assert [path.name for path in tmp_path.iterdir()] == ["head-0-of-1-step-4.pt"]


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        pytest.param(lambda path: path.unlink(), r"no whole set .*step 2 \(none found\)", id="gone"),
        pytest.param(lambda path: path.rename(path.with_name("head-0-of-2-step-2.pt")), "1 of 2 missing", id="half"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:500]), "damaged", id="cut off"),
        pytest.param(lambda path: torch.save({"format": "x"}, path), "damaged .*format 'x'", id="another format"),
    ],
)
def test_incomplete_and_damaged_parts_are_refused(tmp_path, harm, message):
    path = save_part(tmp_path, ShardedHead("arcface", SIZE, CLASSES), 2)
    harm(path)
    with pytest.raises(FacedistillError, match=message):
        load_parts(tmp_path, ShardedHead("arcface", SIZE, CLASSES), 2)


def test_a_part_of_another_head_is_refused(tmp_path):
    save_part(tmp_path, ShardedHead("arcface", SIZE, CLASSES), 2)
    with pytest.raises(FacedistillError, match="another head"):
        load_parts(tmp_path, ShardedHead("arcface", SIZE, CLASSES, margin=0.3), 2)


# ---- several processes --------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 4])
def test_processes_together_are_the_plain_head(count):
    torch.manual_seed(7)
    centres = ShardedHead("amsoftmax", SIZE, CLASSES).head.weight.detach()
    spawn(count, *((check_equals_plain, (name,)) for name in NAMES), (check_same_centres, (centres,)))


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_processes_sample_their_own_classes(count):
    spawn(count, (check_sample, ()))


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(4, 2), (2, 4), (2, 1)])
def test_a_run_goes_on_with_another_number_of_processes(tmp_path, before, after):
    spawn(before, (check_save, (tmp_path,)))
    spawn(after, (check_resume, (tmp_path,)))
