"""Low resolution: the variance of Wang et al. (ICCVW 2019), and the standard degradation of every table.

Both blur with a Gaussian whose width follows the down-scaling ratio, shrink by area, round to 8 bits, and enlarge
back by bicubic interpolation; one core does it for both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from facedistill.checks import MOST_SIDE, check_count, check_number
from facedistill.errors import UsageError
from facedistill.variance.checks import Crop, check_crop
from facedistill.variance.drawn import DrawnVariance
from facedistill.variance.resample import (
    SmallSize,
    check_fit,
    columns_of,
    enlarge,
    enlarge_batch,
    shrink,
    shrink_batch,
)

if TYPE_CHECKING:
    from torch import Tensor

STANDARD_SIGMA = 0.4
"""Width of the Gaussian in low-resolution pixels."""

PAPER_SIZES = (8, 12, 16, 20, 30)
PAPER_PROBABILITY = 0.4


def degrade(crop: Crop, rows: int) -> Crop:
    """The standard degradation: what is left of a face whose aligned window had `rows` rows of pixels.

    Deterministic. Columns follow in proportion, rounded; the Gaussian has sigma 0.4 low-resolution pixels.

    Args:
        crop: uint8 [H, W, 3].
        rows: 1..H.

    Returns:
        uint8 [H, W, 3].

    Raises:
        UsageError: `crop` is no crop, or `rows` is out of range.
    """
    check_crop(crop)
    height, width = crop.shape[:2]
    _check_size("rows", rows)
    return _shrink_and_enlarge(crop, SmallSize(rows, columns_of(rows, height, width), STANDARD_SIGMA))


def degrade_batch(crops: "Tensor", rows: Sequence[int]) -> "Tensor":
    """`degrade` of each crop, on the device where the crops are; within one grey level in 99.9 % of all values.

    The two round sums that differ in their last digits; where that moves a value of the low-resolution picture to the
    next grey level, the values around it in the answer move, too.

    Args:
        crops: uint8 or float32 [B, 3, H, W], 0..255.
        rows: B numbers of rows, each 1..H.

    Returns:
        [B, 3, H, W] of the same type in whole grey levels, on the same device.

    Raises:
        UsageError: `crops` is no such batch, there are not as many `rows`, or one of them is out of range.
    """
    from facedistill.variance.batched import change_drawn, check_crops

    check_crops(crops)
    height, width = crops.shape[2:]
    for value in rows:
        _check_size("rows", value)
    sizes = [SmallSize(int(value), columns_of(value, height, width), STANDARD_SIGMA) for value in rows]
    return change_drawn(crops, sizes, _shrink_and_enlarge_batch)


@dataclass(frozen=True)
class LowResolution(DrawnVariance[SmallSize]):
    """Shrinks a share of the crops to size x size pixels and enlarges them back (ICCVW 2019, section 1 of its method).

    Attributes:
        size: Side of the shrunken square in pixels, or several of which one is drawn, each as likely as the others.
        probability: Share of the crops that are shrunk; None is the paper's 0.4 for several sizes, and 1 for one.
        sigma: Width of the Gaussian before shrinking, in low-resolution pixels; 0 leaves it out.

    Raises:
        UsageError: An attribute is out of range; or, when called, a size exceeds the crop.
    """

    size: int | Sequence[int] = PAPER_SIZES
    probability: float | None = None
    sigma: float = STANDARD_SIGMA

    def __post_init__(self) -> None:
        if not self._sizes:
            raise UsageError("low_resolution: size must name at least one size")
        for size in self._sizes:
            _check_size("low_resolution: size", size)
        check_number("low_resolution: probability", self._share, 0, 1)
        check_number("low_resolution: sigma", self.sigma, 0, 10)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> SmallSize | None:
        """Draws a size, whatever the crop's own."""
        if rng.random() >= self._share:
            return None
        size = self._sizes[rng.integers(len(self._sizes))]
        return SmallSize(size, size, self.sigma)

    def rows_left(self, draws: SmallSize) -> int:
        """Those of the small picture."""
        return draws.rows

    def change(self, crop: Crop, draws: SmallSize) -> Crop:
        """Shrinks and enlarges uint8 [H, W, 3]."""
        return _shrink_and_enlarge(crop, draws)

    def change_batch(self, crops: "Tensor", draws: Sequence[SmallSize]) -> "Tensor":
        """Shrinks and enlarges float32 [N, 3, H, W]; as near to `change` as `degrade_batch` is to `degrade`."""
        return _shrink_and_enlarge_batch(crops, draws)

    @property
    def _sizes(self) -> tuple[int, ...]:
        return tuple(self.size) if isinstance(self.size, Sequence) else (self.size,)

    @property
    def _share(self) -> float:
        if self.probability is not None:
            return self.probability
        return PAPER_PROBABILITY if len(self._sizes) > 1 else 1.0


def _check_size(name: str, size: int) -> None:
    check_count(name, size, 1, MOST_SIDE)


def _shrink_and_enlarge(crop: Crop, size: SmallSize) -> Crop:
    height, width = crop.shape[:2]
    check_fit(size, height, width)
    # In float, so that the low-resolution picture is the only place where grey levels are rounded.
    small = shrink(crop.astype(np.float32, order="C"), size)  # OpenCV cannot write into the order that a view may have
    return enlarge(np.rint(small).clip(0, 255).astype(np.uint8), height, width)


def _shrink_and_enlarge_batch(crops: "Tensor", sizes: Sequence[SmallSize]) -> "Tensor":
    from facedistill.variance.batched import grey_levels

    height, width = crops.shape[2:]
    for size in set(sizes):
        check_fit(size, height, width)
    return enlarge_batch(grey_levels(shrink_batch(crops, sizes)), sizes, height, width)
