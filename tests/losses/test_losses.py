"""What every registered loss owes its users; a new loss is covered by being registered (and given an oracle)."""

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


def outputs(seed, dtype=torch.float64, **changes):
    generator = torch.Generator().manual_seed(seed)
    fields = {
        "embedding": torch.randn(BATCH, SIZE, dtype=torch.float64, generator=generator),
        "logits": 3 * torch.randn(BATCH, CLASSES, dtype=torch.float64, generator=generator),
    }
    fields = {key: value.to(dtype).requires_grad_() for key, value in fields.items()}
    return Outputs(**{**fields, **changes})


def field_of(name, value):
    return getattr(value, LOSSES[name].needs[0])


# ---- the formulas, in float64 numpy -------------------------------------------------------------------------------


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def softmax(logits, temperature):
    powers = np.exp(logits / temperature - (logits / temperature).max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def soft_oracle(student, teacher, temperature=2.0, form="kl"):
    p, q = softmax(teacher, temperature), softmax(student, temperature)
    ratio = np.log(p / q) if form == "kl" else -np.log(q)
    return temperature**2 * np.mean(np.sum(p * ratio, axis=1))


def l2_oracle(student, teacher):
    return np.mean(np.linalg.norm(unit(student) - unit(teacher), axis=1) ** 2)


def cosine_oracle(student, teacher):
    return np.mean([1 - s @ t / np.linalg.norm(s) / np.linalg.norm(t) for s, t in zip(student, teacher, strict=True)])


def mk_mmd_oracle(student, teacher, multipliers=(0.25, 0.5, 1, 2, 4)):
    s, t = unit(student), unit(teacher)
    joint = np.concatenate((s, t))
    mean = np.mean([[np.sum((a - b) ** 2) for a in joint] for b in joint])

    def k(one, other):
        return np.mean(
            [[sum(np.exp(-np.sum((a - b) ** 2) / (u * mean)) for u in multipliers) for a in one] for b in other]
        )

    return k(s, s) + k(t, t) - 2 * k(s, t)


CASES = [
    pytest.param("soft", soft_oracle, {}, id="soft"),
    pytest.param("soft", soft_oracle, {"temperature": 4.5}, id="soft, warmer"),
    pytest.param("soft", soft_oracle, {"form": "cross_entropy"}, id="soft, the ICCVW form"),
    pytest.param("l2", l2_oracle, {}, id="l2"),
    pytest.param("cosine", cosine_oracle, {}, id="cosine"),
    pytest.param("mk_mmd", mk_mmd_oracle, {}, id="mk_mmd"),
    pytest.param("mk_mmd", mk_mmd_oracle, {"multipliers": [0.1, 3]}, id="mk_mmd, other kernels"),
]


@pytest.mark.parametrize(("name", "oracle", "options"), CASES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_against_the_oracle(name, oracle, options, seed):
    student, teacher = outputs(seed), outputs(seed + 10)
    expected = oracle(field_of(name, student).detach().numpy(), field_of(name, teacher).detach().numpy(), **options)
    assert build_loss(name, **options)(student, teacher, LABELS).item() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(("name", "oracle", "options"), CASES)
def test_float32_is_near_the_oracle(name, oracle, options):
    student, teacher = outputs(0, torch.float32), outputs(1, torch.float32)
    expected = oracle(
        *(field_of(name, side).detach().numpy().astype(np.float64) for side in (student, teacher)), **options
    )
    assert build_loss(name, **options)(student, teacher, LABELS).item() == pytest.approx(expected, rel=1e-5)


def test_every_loss_has_an_oracle():
    assert {case.values[0] for case in CASES} == set(LOSSES)


# ---- the contract, for each loss in the registry ------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_gradient_reaches_the_student_and_never_the_teacher(name):
    student, teacher = outputs(0, torch.float32), outputs(1, torch.float32)
    loss = build_loss(name)(student, teacher, LABELS)
    assert loss.shape == ()
    assert torch.isfinite(loss)
    loss.backward()
    for field in LOSSES[name].needs:
        assert getattr(student, field).grad.abs().sum() > 0
        assert getattr(teacher, field).grad is None


# MK-MMD holds its bandwidth constant, which finite differences do not: test_mk_mmd.py checks its gradient.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "mk_mmd"])
def test_gradient_against_finite_differences(name):
    teacher, loss = outputs(1), build_loss(name)

    def call(embedding, logits):
        return loss(Outputs(embedding, logits), teacher, LABELS)

    student = outputs(0)
    assert torch.autograd.gradcheck(call, (student.embedding, student.logits))


@pytest.mark.parametrize("name", NAMES)
def test_lower_when_the_student_comes_nearer(name):
    teacher, far = outputs(1), outputs(0)
    near = Outputs(
        teacher.embedding.lerp(far.embedding, 0.1), None if far.logits is None else teacher.logits.lerp(far.logits, 0.1)
    )
    loss = build_loss(name)
    assert 0 <= loss(near, teacher, LABELS) < loss(far, teacher, LABELS)
    assert abs(loss(teacher, teacher, LABELS)) < 1e-12


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_short_floats_are_computed_in_float32(name, dtype):
    student, teacher = outputs(0, dtype), outputs(1, torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = build_loss(name)(student, teacher, LABELS)
    assert loss.dtype == torch.float32
    widened = Outputs(student.embedding.float(), student.logits.float())
    assert torch.equal(loss, build_loss(name)(widened, teacher, LABELS))
    loss.backward()
    assert all(torch.isfinite(getattr(student, field).grad).all() for field in LOSSES[name].needs)


@pytest.mark.parametrize("name", NAMES)
def test_wrong_batches_are_refused_by_name(name):
    (field,) = LOSSES[name].needs
    good, loss = outputs(0), build_loss(name)
    width = field_of(name, good).shape[1]
    wide, short = torch.zeros(BATCH, width + 1), torch.zeros(BATCH - 1, width)
    flat, none = torch.zeros(BATCH), torch.zeros(0, width)
    for wrong in (wide, short, flat):
        for pair in ((good, outputs(1, **{field: wrong})), (outputs(1, **{field: wrong}), good)):
            with pytest.raises(UsageError, match=f"{name!r} needs {field}") as caught:
                loss(*pair, LABELS)
            assert str(list(wrong.shape)) in str(caught.value)
            assert str([BATCH, width]) in str(caught.value)
    empty = outputs(1, **{field: none})
    with pytest.raises(UsageError, match=name):
        loss(empty, empty, LABELS[:0])
    with pytest.raises(UsageError, match=f"{name!r}: labels"):
        loss(good, good, LABELS[:-1])


def test_absent_logits_are_named():
    with pytest.raises(UsageError, match="'soft' needs logits, but the teacher gives none"):
        build_loss("soft")(outputs(0), outputs(1, logits=None), LABELS)
    with pytest.raises(UsageError, match="'soft' needs logits, but the student gives none"):
        build_loss("soft")(outputs(0, logits=None), outputs(1), LABELS)


@pytest.mark.parametrize("name", NAMES)
def test_finite_on_one_face_and_on_zeros(name):
    for batch in (1, 3):
        zeros = {"embedding": torch.zeros(batch, SIZE), "logits": torch.zeros(batch, CLASSES)}
        student = Outputs(**{key: value.clone().requires_grad_() for key, value in zeros.items()})
        loss = build_loss(name)(student, outputs(1, **zeros), LABELS[:batch])
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(field_of(name, student).grad).all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param({"name": "softt"}, "known: cosine, l2, mk_mmd, soft", id="an unknown name"),
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
    ],
)
def test_wrong_arguments_are_refused(arguments, said):
    with pytest.raises(UsageError, match=said):
        build_loss(**arguments)


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
