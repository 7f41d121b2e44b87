"""The traces of JPEG compression."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facedistill.errors import UsageError
from facedistill.pictures import decode_picture, encode_picture
from facedistill.variance.checks import Crop, check_crop, check_number, check_range


@dataclass(frozen=True)
class JpegCompression:
    """Stores a share of the crops as JPEG and reads them back.

    Attributes:
        quality: (least, most) JPEG quality, whole numbers in 1..100, each as likely as the others.
        probability: Share of the crops that are compressed.
    """

    quality: Sequence[int] = (30, 95)
    probability: float = 0.3

    def __post_init__(self) -> None:
        check_range("jpeg: quality", self.quality, 1, 100)
        if not all(isinstance(end, int) for end in self.quality):
            raise UsageError(f"jpeg: quality must be two whole numbers, got {self.quality!r}")
        check_number("jpeg: probability", self.probability, 0, 1)

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Crop:
        """Compresses uint8 [H, W, 3], or returns it as it is."""
        check_crop(crop)
        if rng.random() >= self.probability:
            return crop
        quality = int(rng.integers(self.quality[0], self.quality[1], endpoint=True))
        return decode_picture(encode_picture(crop, ".jpg", quality), "a compressed crop")
