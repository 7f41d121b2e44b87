"""The properties that make MK-MMD safe to train with."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from facedistill.losses import build_loss
from facedistill.outputs import Outputs

TINY = 1e-6


def mk_mmd(student, teacher):
    """Value and the student's gradient."""
    student = student.detach().clone().requires_grad_()
    loss = build_loss("mk_mmd")(Outputs(student), Outputs(teacher), torch.zeros(len(student), dtype=torch.int64))
    loss.backward()
    return loss.detach(), student.grad


@st.composite
def samples(draw, scales=(1e-12, 1e-3, 1.0, 1e6, 1e15)):
    """Two float32 samples [B, D], at any scale, with some rows zero and some repeated."""
    batch, size = draw(st.integers(1, 9)), draw(st.integers(1, 7))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    pair = []
    for _ in range(2):
        rows = draw(st.sampled_from(scales)) * torch.randn(batch, size, generator=generator)
        rows[torch.rand(batch, generator=generator) < draw(st.sampled_from([0.0, 0.3]))] = 0
        if draw(st.booleans()):
            rows[batch // 2 :] = rows[0].clone()
        pair.append(rows)
    return pair


@given(samples())
@settings(max_examples=60, deadline=None)
def test_symmetric_bounded_and_finite(pair):
    student, teacher = pair
    forth, gradient = mk_mmd(student, teacher)
    back, _ = mk_mmd(teacher, student)
    assert abs(forth - back) < 1e-5
    assert -TINY * 10 <= forth <= 10  # five kernels of at most 1, two means
    assert torch.isfinite(gradient).all()


@given(samples(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_zero_on_equal_samples_in_any_order(pair, random):
    rows = pair[0]
    order = random.sample(range(len(rows)), len(rows))
    value, gradient = mk_mmd(rows[order], rows)
    assert abs(value) < 1e-5
    assert torch.isfinite(gradient).all()


@given(st.integers(1, 9), st.integers(1, 300), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e-12, 1.0, 1e15]))
@example(batch=8, size=512, seed=0, scale=1.0)
@settings(max_examples=40, deadline=None)
def test_zero_when_all_rows_are_equal(batch, size, seed, scale):
    """The bandwidth is zero then; rounding alone must not look like a distance."""
    row = scale * torch.randn(size, generator=torch.Generator().manual_seed(seed))
    rows = row.repeat(batch, 1)
    value, gradient = mk_mmd(rows, rows)
    assert abs(value) < 1e-5
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("spread", [0.0, 1e-8, 1e-7, 1e-6, 1e-4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_gradient_is_finite_on_nearly_equal_rows(spread, dtype):
    generator = torch.Generator().manual_seed(0)
    row = torch.randn(1, 64, generator=generator)
    student, teacher = ((row + spread * torch.randn(16, 64, generator=generator)).to(dtype) for _ in range(2))
    value, gradient = mk_mmd(student, teacher)
    assert torch.isfinite(value)
    assert torch.isfinite(gradient).all()


def test_close_rows_far_from_the_origin_keep_their_distances():
    """Without centring, float32 loses distances of 1e-4 between unit rows to cancellation."""
    generator = torch.Generator().manual_seed(0)
    row = torch.randn(1, 64, dtype=torch.float64, generator=generator)
    student, teacher = (
        (row + shift + 1e-4 * torch.randn(16, 64, dtype=torch.float64, generator=generator)).float()
        for shift in (0, 2e-5)
    )
    short, _ = mk_mmd(student, teacher)
    exact, _ = mk_mmd(student.double(), teacher.double())
    assert float(short) == pytest.approx(float(exact), rel=1e-2)


def test_gradient_against_finite_differences_at_fixed_bandwidth():
    """One row turned on the unit circle moves the loss, bandwidth held, as the gradient predicts."""
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(6, 5, dtype=torch.float64, generator=generator) for _ in range(2))
    joint = torch.nn.functional.normalize(torch.cat((student, teacher)), dim=1)
    mean = torch.cdist(joint, joint).square().mean()

    def at_fixed_bandwidth(student):
        rows = torch.cat((student, teacher))
        rows = rows / rows.square().sum(dim=1, keepdim=True).sqrt()
        squared = (rows[:, None] - rows[None, :]).square().sum(dim=2)
        kernel = sum(torch.exp(-squared / (u * mean)) for u in (0.25, 0.5, 1.0, 2.0, 4.0))
        return kernel[:6, :6].mean() + kernel[6:, 6:].mean() - 2 * kernel[:6, 6:].mean()

    step, numeric = 1e-6, torch.zeros_like(student)
    for index in range(student.numel()):
        shift = torch.zeros(student.numel(), dtype=torch.float64)
        shift[index] = step
        shift = shift.view_as(student)
        slope = at_fixed_bandwidth(student + shift) - at_fixed_bandwidth(student - shift)
        numeric.view(-1)[index] = slope / (2 * step)
    _, gradient = mk_mmd(student, teacher)
    torch.testing.assert_close(gradient, numeric, atol=1e-8, rtol=1e-5)


def test_descending_it_moves_the_student_to_the_teacher():
    generator = torch.Generator().manual_seed(0)
    teacher = torch.randn(32, 4, generator=generator) + torch.tensor([2.0, 0, 0, 0])
    student = torch.randn(32, 4, generator=generator)
    start, _ = mk_mmd(student, teacher)
    for _ in range(100):
        student = student - 5.0 * mk_mmd(student, teacher)[1]
    end, _ = mk_mmd(student, teacher)
    assert end < 0.2 * start
