"""Variance: how the student's crops are degraded while the teacher's stay as they are; low resolution first.

Each part draws at random, and changes one crop on the CPU or a batch on any device by the same draws.
"""

from facedistill.errors import UsageError
from facedistill.registry import Registry
from facedistill.variance.camera import Camera
from facedistill.variance.checked import CheckedVariance
from facedistill.variance.checks import Crop, Variance
from facedistill.variance.compose import Compose
from facedistill.variance.drawn import DrawnVariance
from facedistill.variance.face_rows import at_face_rows, degrade_face
from facedistill.variance.grey import Grey
from facedistill.variance.jpeg import JpegCompression
from facedistill.variance.light import BrightnessContrast
from facedistill.variance.matching import CROP_ROWS, NATIVE_ROWS, RUNGS, matching, rungs_of
from facedistill.variance.mirror import Mirror
from facedistill.variance.noise import GaussianNoise
from facedistill.variance.placement import ShiftRotate
from facedistill.variance.resolution import PAPER_SIZES, LowResolution, degrade, degrade_batch

__all__ = [
    "CROP_ROWS",
    "NATIVE_ROWS",
    "PAPER_SIZES",
    "RUNGS",
    "VARIANCES",
    "BrightnessContrast",
    "Camera",
    "Compose",
    "Crop",
    "DrawnVariance",
    "GaussianNoise",
    "Grey",
    "JpegCompression",
    "LowResolution",
    "Mirror",
    "ShiftRotate",
    "Variance",
    "at_face_rows",
    "build_variance",
    "degrade",
    "degrade_batch",
    "degrade_face",
    "matching",
    "rungs_of",
]

VARIANCES: Registry[Variance] = Registry("variance")
VARIANCES.register("low_resolution")(LowResolution)
VARIANCES.register("mirror")(Mirror)
VARIANCES.register("brightness_contrast")(BrightnessContrast)
VARIANCES.register("grey")(Grey)
VARIANCES.register("shift_rotate")(ShiftRotate)
VARIANCES.register("jpeg")(JpegCompression)
VARIANCES.register("noise")(GaussianNoise)
VARIANCES.register("camera")(Camera)


def build_variance(name: str, **options: object) -> Variance:
    """The variance called `name`, with its options as in the class of that name.

    Args:
        name: A name in `VARIANCES`, or `package.module:Class`.
        **options: The class's attributes; lists, as a recipe gives them, stand for tuples.

    Raises:
        UsageError: The name or an option is unknown, an option is out of range, or a class of another package gives
            nothing that can be called with a crop.
    """
    values = {option: tuple(value) if isinstance(value, list) else value for option, value in options.items()}
    variance = VARIANCES.build(name, **values)
    if not callable(variance):
        raise UsageError(f"the variance {name!r} cannot be called; give it `__call__(self, crop, rng) -> crop`")
    return variance if name in VARIANCES else CheckedVariance(variance, name)
