"""What the student is shown and the teacher is not: low resolution first; light, place, JPEG, noise."""

from collections.abc import Callable

from facedistill.registry import check_options, look_up
from facedistill.variance.checks import Crop, Variance
from facedistill.variance.compose import Compose
from facedistill.variance.grey import Grey
from facedistill.variance.jpeg import JpegCompression
from facedistill.variance.light import BrightnessContrast
from facedistill.variance.mirror import Mirror
from facedistill.variance.noise import GaussianNoise
from facedistill.variance.placement import ShiftRotate
from facedistill.variance.resolution import PAPER_SIZES, LowResolution, degrade

__all__ = [
    "PAPER_SIZES",
    "VARIANCES",
    "BrightnessContrast",
    "Compose",
    "Crop",
    "GaussianNoise",
    "Grey",
    "JpegCompression",
    "LowResolution",
    "Mirror",
    "ShiftRotate",
    "Variance",
    "build_variance",
    "degrade",
]

VARIANCES: dict[str, Callable[..., Variance]] = {
    "low_resolution": LowResolution,
    "mirror": Mirror,
    "brightness_contrast": BrightnessContrast,
    "grey": Grey,
    "shift_rotate": ShiftRotate,
    "jpeg": JpegCompression,
    "noise": GaussianNoise,
}


def build_variance(name: str, **options: object) -> Variance:
    """The variance called `name`, with its options as in the class of that name.

    Args:
        name: A key of `VARIANCES`.
        **options: The class's attributes; lists, as a recipe gives them, stand for tuples.

    Raises:
        UsageError: The name or an option is unknown, or an option is out of range.
    """
    variance = look_up("variance", VARIANCES, name)
    check_options("variance", name, variance, options)
    values = {option: tuple(value) if isinstance(value, list) else value for option, value in options.items()}
    return variance(**values)
