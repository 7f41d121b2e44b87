"""Each loss's formula against a float64 oracle written from the paper."""

from dataclasses import replace
from functools import partial

import loss_oracles as oracles
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.losses.loss_outputs import (
    BATCH,
    CLASSES,
    LABELS,
    SIZE,
    arrays,
    outputs,
    tensors,
)

from facedistill.errors import UsageError
from facedistill.losses import LOSSES, build_loss
from facedistill.outputs import Outputs

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
    pytest.param("infonce", oracles.InfoNce, {}, id="infonce"),
    pytest.param("infonce", oracles.InfoNce, {"queue": 15, "scale": 5.0}, id="infonce, parts of batches forgotten"),
    pytest.param("infonce", oracles.InfoNce, {"queue": 2}, id="infonce, a queue shorter than the batch"),
    pytest.param("seed", oracles.Seed, {}, id="seed"),
    pytest.param(
        "seed", oracles.Seed, {"queue": 15, "teacher_temperature": 0.1}, id="seed, parts of batches forgotten"
    ),
    pytest.param(
        "seed", oracles.Seed, {"queue": 2, "student_temperature": 1.0}, id="seed, a queue shorter than the batch"
    ),
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


def test_l2_with_lengths_is_the_distance_to_the_target_before_it_was_brought_to_unit_length():
    student, teacher = outputs(1), outputs(2)
    lengths = torch.rand(len(LABELS), dtype=torch.float64) + 0.5
    loss = build_loss("l2", lengths=True)(student, replace(teacher, lengths=lengths), LABELS)
    s, t = arrays("embedding", student), arrays("embedding", teacher)
    expected = np.mean(
        [
            sum((a - length * b / np.linalg.norm(row)) ** 2 for a, b in zip(mine, row, strict=True))
            for mine, row, length in zip(s, t, lengths.tolist(), strict=True)
        ]
    )
    assert loss.item() == pytest.approx(expected, abs=1e-12)
    with pytest.raises(UsageError, match="lengths, which targets of several teachers do not have"):
        build_loss("l2", lengths=True)(student, teacher, LABELS)
    with pytest.raises(UsageError, match="must be true or false, not 1"):
        build_loss("l2", lengths=1)
