"""Checks of the crops and options of all variances, and the type they share."""

from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import UsageError

Crop: TypeAlias = NDArray[np.uint8]
"""uint8 [H, W, 3], RGB."""


class Variance(Protocol):
    """Shows a face in another way; the answer has the crop's shape, and the crop stays as it is."""

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Crop:
        """Returns a crop that shares no memory with the given one unless it is the given one itself."""


LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in the brightness, ITU-R BT.601."""


def check_crop(crop: Crop) -> None:
    """Raises UsageError unless `crop` is uint8 [H, W, 3] and not empty."""
    if not isinstance(crop, np.ndarray):
        raise UsageError(f"a crop must be a uint8 array [H, W, 3], got {type(crop).__name__}")
    if crop.dtype != np.uint8 or crop.ndim != 3 or crop.shape[2] != 3 or not crop.size:
        raise UsageError(f"a crop must be uint8 [H, W, 3], got {crop.dtype} {list(crop.shape)}")


def as_crop(image: NDArray[Any]) -> Crop:
    """An answer of OpenCV, whose declared type is wider, as uint8 [H, W, 3]; not copied."""
    return np.asarray(image, dtype=np.uint8)
