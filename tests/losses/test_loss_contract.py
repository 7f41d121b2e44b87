"""What every registered loss guarantees; a new loss is covered by being registered."""

import pytest
import torch
from tests.losses.loss_outputs import LABELS, NAMES, NO_ZERO, NOT_NEARER, needs, outputs, tensors, with_tensors

from facedistill.errors import UsageError
from facedistill.losses import build_loss
from facedistill.outputs import Outputs


@pytest.mark.parametrize("name", NAMES)
def test_gradient_reaches_the_student_and_never_the_teacher(name):
    student, teacher = outputs(0, torch.float32), outputs(1, torch.float32)
    loss = build_loss(name)(student, teacher, LABELS)
    assert loss.shape == ()
    assert torch.isfinite(loss)
    loss.backward()
    for ours, theirs in zip(tensors(needs(name), student), tensors(needs(name), teacher), strict=True):
        assert ours.grad.abs().sum() > 0
        assert theirs.grad is None


# MK-MMD holds its bandwidth constant, which finite differences do not: test_mk_mmd.py checks its gradient.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "mk_mmd"])
def test_gradient_against_finite_differences(name):
    teacher, loss, student = outputs(1), build_loss(name), outputs(0)
    (field,) = loss.needs
    loss(student, teacher, LABELS)
    loss.eval()  # so that what it remembers stands still

    def call(*given_tensors):
        return loss(with_tensors(field, given_tensors), teacher, LABELS)

    assert torch.autograd.gradcheck(call, tuple(tensors(field, student)), eps=1e-7, atol=1e-4)


@pytest.mark.parametrize("name", sorted(set(NAMES) - NO_ZERO))
def test_zero_where_the_student_equals_the_teacher(name):
    teacher = outputs(1)
    assert abs(build_loss(name)(teacher, teacher, LABELS)) < 1e-12


@pytest.mark.parametrize("name", sorted(set(NAMES) - NOT_NEARER))
def test_lower_when_the_student_comes_nearer(name):
    teacher, far = outputs(1), outputs(0)
    near = Outputs(
        teacher.embedding.lerp(far.embedding, 0.1),
        teacher.logits.lerp(far.logits, 0.1),
        tuple(a.lerp(b, 0.1) for a, b in zip(teacher.features, far.features, strict=True)),
    )
    loss = build_loss(name)
    loss(far, teacher, LABELS)
    loss.eval()
    assert 0 <= loss(near, teacher, LABELS) < loss(far, teacher, LABELS)


@pytest.mark.parametrize("name", ["margin", "adadistill"])
def test_lower_on_the_own_centre_than_on_another(name):
    teacher = outputs(1)
    loss = build_loss(name)
    on_own = loss(teacher, teacher, LABELS)
    loss.eval()
    swapped = Outputs(teacher.embedding.roll(1, dims=0))
    assert loss(teacher, teacher, LABELS).item() == pytest.approx(on_own.item())
    assert on_own < loss(swapped, teacher, LABELS)


@pytest.mark.parametrize("name", ["infonce", "seed"])
def test_lower_on_the_own_teacher_embedding_than_on_another(name):
    teacher = outputs(1)
    swapped = Outputs(teacher.embedding.roll(1, dims=0))
    assert build_loss(name)(teacher, teacher, LABELS) < build_loss(name)(swapped, teacher, LABELS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_short_floats_are_computed_in_float32(name, dtype):
    student, teacher = outputs(0, dtype), outputs(1, torch.float32)
    torch.manual_seed(0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = build_loss(name)(student, teacher, LABELS)
    assert loss.dtype == torch.float32
    widened = Outputs(student.embedding.float(), student.logits.float(), tuple(f.float() for f in student.features))
    torch.manual_seed(0)
    assert torch.equal(loss, build_loss(name)(widened, teacher, LABELS))
    loss.backward()
    assert all(torch.isfinite(tensor.grad).all() for tensor in tensors(needs(name), student))


@pytest.mark.parametrize("name", NAMES)
def test_wrong_batches_are_refused_by_name(name):
    (field,) = build_loss(name).needs
    good, loss = outputs(0), build_loss(name)
    first = tensors(field, good)[0]
    wrongs = {"one face less": first[1:], "flat": first[:, 0]}
    if loss.equal_sizes:
        wrongs["another size"] = torch.cat((first, first), dim=1)
    if field == "features":
        wrongs["larger maps"] = torch.cat((first, first), dim=2)
    for wrong in wrongs.values():
        bad = outputs(1, **{field: (wrong, good.features[1]) if field == "features" else wrong})
        for pair in ((good, bad), (bad, good)):
            with pytest.raises(UsageError, match=f"{name!r} needs {field}") as caught:
                loss(*pair, LABELS)
            assert str(list(wrong.shape)) in str(caught.value)
            assert str(list(first.shape)) in str(caught.value)
            assert "\n" not in str(caught.value)
    empty = with_tensors(field, [tensor[:0] for tensor in tensors(field, good)])
    with pytest.raises(UsageError, match=name):
        loss(empty, empty, LABELS[:0])
    with pytest.raises(UsageError, match=f"{name!r}: labels"):
        loss(good, good, LABELS[:-1])


@pytest.mark.parametrize("name", NAMES)
def test_an_absent_field_is_named(name):
    (field,) = build_loss(name).needs
    if field == "embedding":
        return  # every net gives one
    lacking = outputs(1, **{field: () if field == "features" else None})
    with pytest.raises(UsageError, match=f"{name!r} needs {field}, but the teacher gives none"):
        build_loss(name)(outputs(0), lacking, LABELS)
    with pytest.raises(UsageError, match=f"{name!r} needs {field}, but the student gives none"):
        build_loss(name)(lacking, outputs(0), LABELS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("scale", [0.0, 1e-20, 1.0, 1e15])
def test_finite_on_few_faces_of_one_person_at_any_scale(name, batch, scale):
    if name == "fitnets" and scale > 1:
        return  # a squared error of unnormalised numbers overflows as it should
    made = [outputs(seed, torch.float32) for seed in (0, 1)]
    (field,) = build_loss(name).needs
    student, teacher = (
        with_tensors(field, [(scale * tensor.detach()[:batch]).requires_grad_() for tensor in tensors(field, side)])
        for side in made
    )
    loss = build_loss(name)(student, teacher, torch.zeros(batch, dtype=torch.int64))
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(tensor.grad).all() for tensor in tensors(field, student))


@pytest.mark.parametrize(
    ("name", "batch"),
    [
        pytest.param("rkd", 1, id="rkd: a face alone has no distance"),
        pytest.param("sp", 1, id="sp: a face alone is like itself"),
        pytest.param("pkt", 1, id="pkt: a face alone has no neighbour"),
        pytest.param("pkt", 2, id="pkt: the only neighbour is certain"),
        pytest.param("ekd", 1, id="ekd: a face alone makes no pair"),
        pytest.param("ekd", 3, id="ekd: one person makes no impostor pair, so no threshold"),
        pytest.param("infonce", 3, id="infonce: one person makes no negative"),
        pytest.param("seed", 1, id="seed: the only neighbour is certain"),
    ],
)
def test_batches_that_teach_nothing_give_zero_and_a_gradient_of_zero(name, batch):
    student, teacher = Outputs(outputs(0).embedding[:batch]), Outputs(outputs(1).embedding[:batch])
    student.embedding.retain_grad()
    loss = build_loss(name)(student, teacher, torch.zeros(batch, dtype=torch.int64))
    loss.backward()
    assert abs(loss) < 1e-12
    assert student.embedding.grad.abs().max() < 1e-9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"name": "softt"}, "known: adadistill, attention, .*, soft, sp$", id="an unknown name"),
        pytest.param({"name": ["soft"]}, "known", id="a list for a name"),
        pytest.param({"name": "soft", "temprature": 2}, "'temprature'.*temperature, form", id="a misspelt option"),
        pytest.param({"name": "cosine", "weight": 2}, "'weight'; it takes none", id="an option where none is"),
        pytest.param({"name": "soft", "temperature": 0}, "temperature", id="absolute zero"),
        pytest.param({"name": "soft", "temperature": "2"}, "temperature", id="a text for a number"),
        pytest.param({"name": "soft", "temperature": float("inf")}, "temperature", id="infinitely warm"),
        pytest.param({"name": "soft", "form": "mse"}, "kl, cross_entropy", id="an unknown form"),
        pytest.param({"name": "mk_mmd", "multipliers": []}, "multipliers", id="no kernel"),
        pytest.param({"name": "mk_mmd", "multipliers": [1, 0]}, "multipliers", id="a kernel of no width"),
        pytest.param({"name": "mk_mmd", "multipliers": 2.0}, "multipliers", id="a number for a list"),
        pytest.param({"name": "mk_mmd", "multipliers": "12"}, "multipliers", id="a text for a list"),
        pytest.param({"name": "mk_mmd", "on": "features"}, "embedding, logits", id="mk_mmd on maps"),
        pytest.param({"name": "sp", "on": "logits"}, "embedding, features", id="sp on logits"),
        pytest.param({"name": "fitnets", "on": ["features"]}, "features, embedding", id="a list for a field"),
        pytest.param({"name": "fitnets", "on": "embedding", "stages": [0]}, "stages", id="stages of an embedding"),
        pytest.param({"name": "attention", "stages": []}, "stages", id="no stage"),
        pytest.param({"name": "attention", "stages": [0, 0]}, "stages", id="a stage twice"),
        pytest.param({"name": "attention", "stages": [-1]}, "stages", id="a stage before the first"),
        pytest.param({"name": "attention", "stages": "01"}, "stages", id="a text for stages"),
        pytest.param({"name": "attention_similarity", "maps": "all"}, "both, spatial, channel", id="unknown maps"),
        pytest.param({"name": "rkd", "angle": -1}, "angle", id="a negative weight"),
        pytest.param({"name": "dkd", "beta": 0}, "beta", id="no weight"),
        pytest.param({"name": "margin", "least": 0.5}, "most .* above least", id="no room for a margin"),
        pytest.param({"name": "neurons", "keep": 1.1}, "keep .* at most 1", id="more units than there are"),
        pytest.param({"name": "ekd", "hardest": 0}, "hardest", id="no pair"),
        pytest.param({"name": "ekd", "momentum": 2}, "momentum .* at most 1", id="a momentum above 1"),
        pytest.param({"name": "infonce", "queue": 0}, "queue .* at least 1", id="no queue"),
        pytest.param({"name": "infonce", "queue": 4096.0}, "queue .* whole number", id="a fraction for a length"),
        pytest.param({"name": "infonce", "scale": 0}, "scale", id="every cosine 0"),
        pytest.param({"name": "seed", "queue": "all"}, "queue", id="a text for a length"),
        pytest.param({"name": "seed", "student_temperature": -1}, "student_temperature", id="below absolute zero"),
        pytest.param(
            {"name": "seed", "teacher_temperature": 0}, "teacher_temperature", id="a teacher of one neighbour"
        ),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        build_loss(**arguments)


def test_a_stage_that_no_net_has_is_named():
    with pytest.raises(UsageError, match=r"'attention': there is no stage 2; the nets have the stages 0\.\.1"):
        build_loss("attention", stages=[2])(outputs(0), outputs(1), LABELS)


def test_unequal_numbers_of_stages_are_refused():
    student = outputs(0)
    shallow = Outputs(student.embedding, None, student.features[:1])
    with pytest.raises(UsageError, match="not 1 from the student and 2 from the teacher"):
        build_loss("attention")(shallow, outputs(1), LABELS)


@pytest.mark.parametrize(
    ("name", "labels", "message"),
    [
        pytest.param("dkd", LABELS + 1, "4 classes do not do for the label 4", id="a label above the classes"),
        pytest.param("ekd", LABELS - 1, "labels must be int64 of at least 0", id="a negative label"),
        pytest.param("margin", LABELS.float(), "labels must be int64", id="labels as fractions"),
    ],
)
def test_wrong_labels_are_refused(name, labels, message):
    with pytest.raises(UsageError, match=message):
        build_loss(name)(outputs(0), outputs(1), labels)


def test_dkd_needs_two_classes():
    one = Outputs(torch.zeros(2, 3), torch.zeros(2, 1))
    with pytest.raises(UsageError, match="logits of 1 classes"):
        build_loss("dkd")(one, one, torch.zeros(2, dtype=torch.int64))
