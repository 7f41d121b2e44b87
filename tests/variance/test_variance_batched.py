"""The batched torch versions against those of one crop, given the same draws."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from tests.variance.crops import picture, smooth_picture

from facedistill.errors import UsageError
from facedistill.variance import VARIANCES, LowResolution, build_variance, degrade, degrade_batch

SHAPES = [(112, 96), (112, 112), (31, 47)]


@dataclass(frozen=True)
class Bound:
    """At least `share` of all values are at most `levels` grey levels apart, and none more than `most`."""

    levels: int
    most: int
    share: float = 1.0

    def hold(self, one: np.ndarray, other: np.ndarray) -> None:
        apart = np.abs(one.astype(int) - other)
        assert apart.max() <= self.most
        assert (apart <= self.levels).mean() >= self.share


BOUNDS = {
    # A small pixel that lies on a half may be rounded either way, and bicubic weights spread it over its neighbours.
    "low_resolution": Bound(levels=1, share=0.999, most=3),
    "mirror": Bound(0, 0),  # nothing is computed
    "brightness_contrast": Bound(1, 1),  # float32 against float64 before rounding
    "grey": Bound(1, 1),  # the luma of whole-number weights against that of fractions
    # OpenCV may round places to 1/32 pixel: of 4 levels from one pixel to the next that is 4/32 in x and y each.
    "shift_rotate": Bound(1, 1),
    "jpeg": Bound(0, 0),  # the same code
    "noise": Bound(1, 1),  # a product and a sum may be rounded once or twice
    # As low resolution; and JPEG moves a block by a step of its coarsest table where a value is rounded otherwise.
    "camera": Bound(levels=1, share=0.998, most=60),
}


def to_tensor(crops: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)


def to_crops(batch: torch.Tensor) -> np.ndarray:
    return batch.permute(0, 2, 3, 1).numpy()


def test_every_variance_has_its_bound() -> None:
    assert BOUNDS.keys() == VARIANCES.keys()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", VARIANCES)
def test_a_batch_is_its_crops_one_by_one(name: str, shape: tuple[int, int], dtype: torch.dtype) -> None:
    variance = build_variance(name, probability=0.7)
    crops = [smooth_picture(*shape, seed) for seed in range(24)]
    draws = [variance.draw(np.random.default_rng(seed), *shape) for seed in range(24)]
    assert None in draws
    assert any(drawn is not None for drawn in draws)
    given = to_tensor(crops).to(dtype)
    shown = variance.apply_batch(given, draws)
    assert shown.dtype == dtype
    assert (shown == shown.round()).all()
    assert torch.equal(given, to_tensor(crops).to(dtype)), "the given batch was changed"
    BOUNDS[name].hold(
        np.stack([variance.apply(*pair) for pair in zip(crops, draws, strict=True)]), to_crops(shown.to(torch.uint8))
    )


@pytest.mark.parametrize("name", sorted(VARIANCES.keys() - {"shift_rotate", "camera"}))  # theirs need neighbours alike
def test_the_bounds_hold_for_any_picture(name: str) -> None:
    variance = build_variance(name, probability=1)
    crops = [picture(112, 96, seed) for seed in range(24)]
    draws = [variance.draw(np.random.default_rng(seed), 112, 96) for seed in range(24)]
    BOUNDS[name].hold(
        np.stack([variance.apply(*pair) for pair in zip(crops, draws, strict=True)]),
        to_crops(variance.apply_batch(to_tensor(crops), draws)),
    )


@pytest.mark.parametrize("name", VARIANCES)
def test_a_call_is_the_draws_applied(name: str) -> None:
    variance, rng, again = build_variance(name), np.random.default_rng(3), np.random.default_rng(3)
    for seed in range(20):
        crop = picture(40, 36, seed)
        np.testing.assert_array_equal(variance(crop, rng), variance.apply(crop, variance.draw(again, 40, 36)))
    assert rng.bit_generator.state == again.bit_generator.state


@pytest.mark.parametrize("name", VARIANCES)
def test_nothing_drawn_is_the_batch_itself(name: str) -> None:
    batch = to_tensor([picture(8, 8)])
    assert build_variance(name).apply_batch(batch, [None]) is batch


@pytest.mark.parametrize("name", VARIANCES)
def test_half_precision_around_it_does_not_reach_in(name: str) -> None:
    variance = build_variance(name, probability=1)
    batch = to_tensor([picture(40, 40, seed) for seed in range(3)])
    draws = [variance.draw(np.random.default_rng(seed), 40, 40) for seed in range(3)]
    alone = variance.apply_batch(batch, draws)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(variance.apply_batch(batch, draws), alone)


@pytest.mark.parametrize("shape", [*SHAPES, (150, 150)], ids=str)
def test_degrade_batch_is_degrade(shape: tuple[int, int]) -> None:
    rows = [1, 2, 7, 8, 12, 16, 20, 24, 27, 30, 31, shape[0]]
    crops = [picture(*shape, seed) for seed in rows]
    BOUNDS["low_resolution"].hold(
        np.stack([degrade(*pair) for pair in zip(crops, rows, strict=True)]),
        to_crops(degrade_batch(to_tensor(crops), rows)),
    )


def test_one_size_for_all_is_like_many() -> None:
    crops = to_tensor([picture(112, 96, seed) for seed in range(3)])
    mixed = degrade_batch(crops.repeat(2, 1, 1, 1), [16, 16, 16, 8, 12, 30])
    assert (degrade_batch(crops, [16] * 3).int() - mixed[:3].int()).abs().max() <= 1


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        pytest.param(torch.zeros(2, 3, 8, 8, dtype=torch.float64), "must be uint8 or float32", id="other numbers"),
        pytest.param(torch.zeros(2, 8, 8, 3), "must be uint8 or float32", id="channels last"),
        pytest.param(torch.zeros(3, 8, 8), "must be uint8 or float32", id="one crop"),
        pytest.param(torch.zeros(2, 3, 0, 8), "must be uint8 or float32", id="no rows"),
        pytest.param(np.zeros((2, 3, 8, 8), np.uint8), "must be a tensor", id="an array"),
        pytest.param(torch.zeros(3, 3, 8, 8), "3 crops need as many draws, got 2", id="too few draws"),
    ],
)
def test_what_is_no_batch_is_refused(batch: object, message: str) -> None:
    for name in VARIANCES:
        with pytest.raises(UsageError, match=message):
            build_variance(name).apply_batch(batch, [None, None])
    with pytest.raises(UsageError, match=message):
        degrade_batch(batch, [4, 4])


def test_a_size_beyond_the_crops_is_refused() -> None:
    drawn = LowResolution(30).draw(np.random.default_rng(0), 20, 40)
    with pytest.raises(UsageError, match=r"a crop of 20x40 .* cannot be shrunk to 30x30"):
        LowResolution(30).apply_batch(torch.zeros(1, 3, 20, 40), [drawn])
    with pytest.raises(UsageError, match="cannot be shrunk to 41x41"):
        degrade_batch(torch.zeros(1, 3, 40, 40), [41])
    with pytest.raises(UsageError, match="rows must be a whole number"):
        degrade_batch(torch.zeros(1, 3, 40, 40), [0])
