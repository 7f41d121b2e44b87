"""Low resolution: the variance of Wang et al. (ICCVW 2019), and the standard degradation of every table.

Both blur with a Gaussian whose width follows the down-scaling ratio, shrink by area, round to 8 bits, and enlarge
back by bicubic interpolation; one core does it for both.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from facedistill.errors import UsageError
from facedistill.variance.checks import Crop, as_crop, check_crop, check_number

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
    return _shrink_and_enlarge(crop, rows, max(1, round(width * rows / height)), STANDARD_SIGMA)


@dataclass(frozen=True)
class LowResolution:
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

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Crop:
        """Shrinks and enlarges uint8 [H, W, 3], or returns it as it is."""
        check_crop(crop)
        if rng.random() >= self._share:
            return crop
        size = self._sizes[rng.integers(len(self._sizes))]
        return _shrink_and_enlarge(crop, size, size, self.sigma)

    @property
    def _sizes(self) -> tuple[int, ...]:
        return tuple(self.size) if isinstance(self.size, Sequence) else (self.size,)

    @property
    def _share(self) -> float:
        if self.probability is not None:
            return self.probability
        return PAPER_PROBABILITY if len(self._sizes) > 1 else 1.0


def _check_size(name: str, size: int) -> None:
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise UsageError(f"{name} must be a whole number of pixels from 1 on, got {size!r}")


def _shrink_and_enlarge(crop: Crop, rows: int, columns: int, sigma: float) -> Crop:
    height, width = crop.shape[:2]
    if rows > height or columns > width:
        raise UsageError(f"a crop of {height}x{width} (height x width) cannot be shrunk to {rows}x{columns}")
    # In float, so that the low-resolution picture is the only place where grey levels are rounded.
    picture = crop.astype(np.float32, order="C")  # OpenCV cannot write into the order that a view may have
    if sigma:
        cv2.GaussianBlur(picture, (0, 0), sigmaX=sigma * width / columns, sigmaY=sigma * height / rows, dst=picture)
    small = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA)
    small = np.rint(small).clip(0, 255).astype(np.uint8)
    return as_crop(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))
