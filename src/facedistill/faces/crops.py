"""Where a face lies in its crop: the field's five-point templates, one per crop convention."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facedistill.checks import check_size
from facedistill.errors import UsageError

# x, y of left eye, right eye, nose tip, left and right mouth corner in a crop of
# 112 rows x 96 columns (SphereFace, Liu et al. 2017).
_TEMPLATE_112X96 = (
    (30.2946, 51.6963),
    (65.5318, 51.5014),
    (48.0252, 71.7366),
    (33.5493, 92.3655),
    (62.7299, 92.2041),
)

# The same points in a chip that dlib's `get_face_chip` cuts at 150x150 with padding 0.25: means of what our MTCNN finds
# in dlib's own chips of the ORL pictures (enlarged twice, border of 60 pixels; 398 of 400 faces found by dlib, its
# 5-point predictor), to be measured again by tests/teachers/test_dlib_real.py. Standard deviations: eyes 1.4, nose 4,
# mouth 3 (x) and 4.6 (y) pixels; with the 68-point predictor the eyes lie 0.7 and the mouth 1.8 pixels lower.
_TEMPLATE_150X150 = (
    (46.765, 45.484),
    (101.417, 45.122),
    (73.796, 74.927),
    (50.590, 100.836),
    (97.852, 100.785),
)


@dataclass(frozen=True)
class CropConvention:
    """A crop size and where the five landmarks lie in it.

    Attributes:
        name: Shown to users, e.g. "112x96".
        size: (height, width) in pixels.
        points: Five (x, y): left eye, right eye, nose, left mouth corner, right mouth corner, as seen in the image.
    """

    name: str
    size: tuple[int, int]
    points: tuple[tuple[float, float], ...]

    @property
    def template(self) -> NDArray[np.float64]:
        """The five points as float64 [5, 2]."""
        return np.array(self.points, dtype=np.float64)


CROP_112X96 = CropConvention("112x96", (112, 96), _TEMPLATE_112X96)
CROP_112X112 = CropConvention("112x112", (112, 112), tuple((x + 8.0, y) for x, y in _TEMPLATE_112X96))
# Of ours, to store: 112x112 with 16 rows more below the chin, so that it holds all that each of the others shows.
CROP_128X112 = CropConvention("128x112", (128, 112), CROP_112X112.points)
CROP_150X150 = CropConvention("150x150", (150, 150), _TEMPLATE_150X150)

_CONVENTIONS = {convention.size: convention for convention in (CROP_112X96, CROP_112X112, CROP_128X112, CROP_150X150)}


def crop_convention(size: tuple[int, int]) -> CropConvention:
    """The convention for a crop of (height, width).

    Raises:
        UsageError: No convention has that size.
    """
    size = check_size("size", size)
    try:
        return _CONVENTIONS[size]
    except KeyError:
        known = ", ".join(c.name for c in _CONVENTIONS.values())
        raise UsageError(f"no crop convention is {size[0]}x{size[1]} (height x width); known: {known}") from None
