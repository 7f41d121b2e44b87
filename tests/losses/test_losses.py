"""What every registered loss owes its users; a new loss is covered by being registered (and given an oracle)."""

from functools import partial

import loss_oracles as oracles
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facedistill.errors import UsageError
from facedistill.losses import LOSSES, build_loss
from facedistill.outputs import Outputs

NAMES = sorted(LOSSES)
BATCH, SIZE, CLASSES = 6, 5, 4
LABELS = torch.tensor([0, 1, 2, 3, 0, 1])
SHAPES = ((3, 4, 2), (4, 2, 3))
# Not 0 where the student equals the teacher: a regressor starts at random, a cross-entropy with margin has no 0.
NO_ZERO = {"fitnets", "margin", "adadistill"}
# Blind to some change of the student towards the teacher: EKD is a count of thresholds passed, with tiny steps.
NOT_NEARER = {"fitnets", "margin", "adadistill", "ekd"}


def needs(name, **options):
    return build_loss(name, **options).needs[0]


def outputs(seed, dtype=torch.float64, **changes):
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape):
        return torch.randn(BATCH, *shape, dtype=torch.float64, generator=generator).to(dtype).requires_grad_()

    embedding, logits = drawn(SIZE), drawn(CLASSES)
    logits = (3 * logits.detach()).requires_grad_()
    fields = {"embedding": embedding, "logits": logits, "features": tuple(drawn(*shape) for shape in SHAPES)}
    return Outputs(**{**fields, **changes})


def tensors(field, value):
    """The field's tensors: one, or one for each stage."""
    found = getattr(value, field)
    return list(found) if field == "features" else [found]


def with_tensors(field, given_tensors):
    """Outputs of nothing but that field (and some embedding)."""
    if field == "features":
        return Outputs(torch.zeros(len(given_tensors[0]), 1), None, tuple(given_tensors))
    if field == "logits":
        return Outputs(torch.zeros(len(given_tensors[0]), 1), given_tensors[0])
    return Outputs(given_tensors[0])


def arrays(field, value):
    found = [tensor.detach().numpy().astype(np.float64) for tensor in tensors(field, value)]
    return found if field == "features" else found[0]


# ---- the formulas, in float64 numpy -------------------------------------------------------------------------------

CASES = [
    pytest.param("soft", oracles.soft, {}, id="soft"),
    pytest.param("soft", oracles.soft, {"temperature": 4.5}, id="soft, warmer"),
    pytest.param("soft", oracles.soft, {"form": "cross_entropy"}, id="soft, the ICCVW form"),
    pytest.param("l2", oracles.l2, {}, id="l2"),
    pytest.param("cosine", oracles.cosine, {}, id="cosine"),
    pytest.param("mk_mmd", oracles.mk_mmd, {}, id="mk_mmd"),
    pytest.param("mk_mmd", oracles.mk_mmd, {"multipliers": [0.1, 3]}, id="mk_mmd, other kernels"),
    pytest.param("mk_mmd", oracles.mk_mmd, {"on": "logits"}, id="mk_mmd on soft labels"),
    pytest.param("mk_mmd", oracles.mk_mmd, {"on": "logits", "temperature": 0.7}, id="mk_mmd on sharper labels"),
    pytest.param("attention", oracles.attention, {}, id="attention"),
    pytest.param("attention", oracles.attention, {"stages": [1]}, id="attention, one stage"),
    pytest.param("attention_similarity", oracles.attention_similarity, {}, id="attention_similarity"),
    pytest.param("attention_similarity", oracles.attention_similarity, {"maps": "spatial"}, id="where"),
    pytest.param("attention_similarity", oracles.attention_similarity, {"maps": "channel", "stages": [0]}, id="what"),
    pytest.param("rkd", oracles.rkd, {}, id="rkd"),
    pytest.param("rkd", oracles.rkd, {"distance": 1.0, "angle": 0.5}, id="rkd, other weights"),
    pytest.param("sp", oracles.sp, {}, id="sp"),
    pytest.param("sp", oracles.sp, {"on": "features"}, id="sp on maps"),
    pytest.param("pkt", oracles.pkt, {}, id="pkt"),
    pytest.param("dkd", oracles.dkd, {}, id="dkd"),
    pytest.param("dkd", oracles.dkd, {"alpha": 0.3, "beta": 2.0, "temperature": 1.5}, id="dkd, other weights"),
    pytest.param("dist", oracles.dist, {}, id="dist"),
    pytest.param("dist", oracles.dist, {"beta": 2.0, "gamma": 0.5, "temperature": 4.0}, id="dist, other weights"),
    pytest.param("cross_sample", oracles.cross_sample, {}, id="cross_sample"),
    pytest.param("margin", oracles.Margin, {}, id="margin"),
    pytest.param("margin", oracles.Margin, {"scale": 10.0, "least": 0.1, "most": 1.5}, id="margin, wider"),
    pytest.param("adadistill", oracles.AdaDistill, {}, id="adadistill"),
    pytest.param("adadistill", oracles.AdaDistill, {"scale": 8.0, "margin": 0.2}, id="adadistill, softer"),
    pytest.param("neurons", oracles.Neurons, {}, id="neurons"),
    pytest.param("neurons", oracles.Neurons, {"keep": 0.2}, id="neurons, few"),
    pytest.param("ekd", oracles.Ekd, {}, id="ekd"),
    pytest.param("ekd", oracles.Ekd, {"hardest": 3, "momentum": 0.4, "genuine": 1.0}, id="ekd, few pairs"),
]
BATCHES = [LABELS, torch.tensor([1, 1, 6, 0, 2, 2]), torch.tensor([5, 4, 3, 2, 1, 0])]


def follows(oracle, options):
    """The oracle with its options: a new memory for those that have one."""
    return oracle(**options) if isinstance(oracle, type) else partial(oracle, **options)


@pytest.mark.parametrize(("name", "oracle", "options"), CASES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_against_the_oracle_over_three_batches(name, oracle, options, dtype):
    loss, expected = build_loss(name, **options), follows(oracle, options)
    (field,) = loss.needs
    close = {"abs": 1e-8} if dtype == torch.float64 else {"rel": 2e-4, "abs": 2e-6}
    for seed, labels in enumerate(BATCHES):
        labels = labels % CLASSES if field == "logits" else labels
        student, teacher = outputs(seed, dtype), outputs(seed + 10, dtype)
        value = loss(student, teacher, labels).item()
        wanted = expected(arrays(field, student), arrays(field, teacher), labels.numpy())
        assert value == pytest.approx(wanted, **close)


@pytest.mark.parametrize("on", ["embedding", "features"])
def test_fitnets_is_the_mean_squared_error_of_its_regressors(on):
    loss = build_loss("fitnets", on=on)
    student, teacher = outputs(0), outputs(1)
    value = loss(student, teacher, LABELS)
    errors = []
    for regressor, ours, theirs in zip(loss.module.regressors, tensors(on, student), tensors(on, teacher), strict=True):
        weight, bias = (part.detach().numpy() for part in (regressor.weight, regressor.bias))
        rows, wanted = (np.moveaxis(x.detach().numpy(), 1, -1) for x in (ours, theirs))
        answered = rows @ weight.reshape(weight.shape[:2]).T + bias
        errors.append(np.mean((answered - wanted) ** 2))
    assert value.item() == pytest.approx(np.mean(errors), abs=1e-12)


def test_every_loss_has_an_oracle():
    assert {case.values[0] for case in CASES} | {"fitnets"} == set(LOSSES)


# ---- the contract, for each loss in the registry ------------------------------------------------------------------


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
    ],
)
def test_batches_that_teach_nothing_give_zero_and_a_gradient_of_zero(name, batch):
    student, teacher = Outputs(outputs(0).embedding[:batch]), Outputs(outputs(1).embedding[:batch])
    student.embedding.retain_grad()
    loss = build_loss(name)(student, teacher, torch.zeros(batch, dtype=torch.int64))
    loss.backward()
    assert abs(loss) < 1e-12
    assert student.embedding.grad.abs().max() < 1e-9


# ---- what a loss does not see -------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.sampled_from(NAMES))
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_batch_does_not_matter(seed, name):
    order = torch.randperm(BATCH, generator=torch.Generator().manual_seed(seed))
    student, teacher = outputs(seed), outputs(seed + 1)

    def shuffled(outputs):
        return Outputs(outputs.embedding[order], outputs.logits[order], tuple(maps[order] for maps in outputs.features))

    torch.manual_seed(0)
    straight = build_loss(name)(student, teacher, LABELS)
    torch.manual_seed(0)
    mixed = build_loss(name)(shuffled(student), shuffled(teacher), LABELS[order])
    torch.testing.assert_close(mixed, straight, atol=1e-9, rtol=1e-7)


def rotation(seed, size=SIZE):
    square = torch.randn(size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return torch.linalg.qr(square).Q


def moved(message, scale=1.0, turn=None, shift=0.0, own=None):
    embedding = message.embedding if turn is None else message.embedding @ turn
    return Outputs(scale * embedding * (1.0 if own is None else own) + shift)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-3, 1.0, 1e4]))
@settings(max_examples=30, deadline=None)
def test_invariances_of_losses_on_embeddings(seed, scale):
    student, teacher = outputs(seed), outputs(seed + 1)
    turn = rotation(seed)
    own = torch.rand(BATCH, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + 0.1
    alone = {  # what may be done to the student alone
        "rkd": moved(student, scale, turn, shift=scale),
        "sp": moved(student, scale, turn),
        "pkt": moved(student, turn=turn, own=own),
        "ekd": moved(student, turn=turn, own=own),
        "cosine": moved(student, own=own),
        "l2": moved(student, own=own),
        "mk_mmd": moved(student, own=own),
        "cross_sample": moved(student, own=own),
        "neurons": moved(student, own=own),
        "margin": moved(student, own=own),
        "adadistill": moved(student, own=own),
    }
    for name, changed in alone.items():
        torch.testing.assert_close(
            build_loss(name)(changed, teacher, LABELS),
            build_loss(name)(student, teacher, LABELS),
            atol=1e-7,
            rtol=1e-6,
            msg=lambda text, name=name: f"{name}: {text}",
        )
    for name in ("cosine", "l2", "mk_mmd", "cross_sample", "margin", "adadistill"):  # both turned alike
        torch.testing.assert_close(
            build_loss(name)(moved(student, turn=turn), moved(teacher, turn=turn), LABELS),
            build_loss(name)(student, teacher, LABELS),
            atol=1e-7,
            rtol=1e-6,
        )


@pytest.mark.parametrize("name", ["attention", "attention_similarity"])
@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_attention_does_not_see_the_scale_of_the_maps(name, scale):
    student, teacher = outputs(0, torch.float32), outputs(1, torch.float32)
    scaled = Outputs(student.embedding, None, tuple(scale * maps for maps in student.features))
    loss = build_loss(name)
    torch.testing.assert_close(loss(scaled, teacher, LABELS), loss(student, teacher, LABELS), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["soft", "dkd", "dist"])
def test_a_constant_added_to_the_logits_of_a_face_changes_nothing(name):
    student, teacher = outputs(0), outputs(1)
    added = Outputs(student.embedding, student.logits + torch.arange(BATCH)[:, None])
    loss = build_loss(name)
    torch.testing.assert_close(loss(added, teacher, LABELS), loss(student, teacher, LABELS))


@pytest.mark.parametrize("name", sorted(name for name in NAMES if not build_loss(name).equal_sizes))
def test_sizes_may_differ_where_only_relations_are_compared(name):
    student, teacher = outputs(0), outputs(1)
    wide = Outputs(
        torch.cat((student.embedding, student.embedding), dim=1),
        None,
        tuple(torch.cat((maps, maps), dim=1) for maps in student.features),
    )
    assert torch.isfinite(build_loss(name)(wide, teacher, LABELS))


def test_spatial_attention_needs_no_equal_channels():
    student, teacher = outputs(0), outputs(1)
    thin = Outputs(student.embedding, None, tuple(maps[:, :1] for maps in student.features))
    assert torch.isfinite(build_loss("attention_similarity", maps="spatial")(thin, teacher, LABELS))
    with pytest.raises(UsageError, match="one shape"):
        build_loss("attention_similarity")(thin, teacher, LABELS)


# ---- wrong calls --------------------------------------------------------------------------------------------------


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


# ---- soft -------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-6, 1.0, 1e3, 1e10, 1e30]), st.floats(0.5, 20))
@settings(max_examples=40, deadline=None)
def test_soft_is_finite_and_never_negative(seed, scale, temperature):
    generator = torch.Generator().manual_seed(seed)
    logits, wanted = (scale * torch.randn(BATCH, CLASSES, generator=generator) for _ in range(2))
    student = Outputs(torch.zeros(BATCH, SIZE), logits.requires_grad_())
    teacher = Outputs(torch.zeros(BATCH, SIZE), wanted)
    loss = build_loss("soft", temperature=temperature)(student, teacher, LABELS)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(student.logits.grad).all()
    assert loss >= -1e-6 * temperature**2  # float32 rounding of log-probabilities, times T^2


def test_both_forms_of_soft_have_one_gradient():
    gradients = []
    for form in ("kl", "cross_entropy"):
        student = outputs(0)
        build_loss("soft", form=form)(student, outputs(1), LABELS).backward()
        gradients.append(student.logits.grad)
    torch.testing.assert_close(*gradients)


def test_dkd_is_soft_where_the_others_weigh_what_the_teacher_gives_them():
    """KL = KL(b) + (1 - p_y) KL(q): for one face, beta = alpha (1 - p_y) makes both losses equal."""
    student, teacher = outputs(0), outputs(1)
    one = [Outputs(side.embedding[:1], side.logits[:1]) for side in (student, teacher)]
    rest = 1 - torch.softmax(teacher.logits[0] / 2, 0)[0].item()
    value = build_loss("dkd", alpha=1.0, beta=rest, temperature=2.0)(*one, LABELS[:1])
    torch.testing.assert_close(value, build_loss("soft", temperature=2.0)(*one, LABELS[:1]))
