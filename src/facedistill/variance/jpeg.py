"""The traces of JPEG compression."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from facedistill.checks import check_number, check_range
from facedistill.errors import UsageError
from facedistill.pictures import decode_picture, encode_picture
from facedistill.variance.checks import Crop
from facedistill.variance.drawn import DrawnVariance

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class JpegCompression(DrawnVariance[int]):
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

    def draw(self, rng: np.random.Generator, height: int, width: int) -> int | None:
        """Draws the quality."""
        if rng.random() >= self.probability:
            return None
        return int(rng.integers(self.quality[0], self.quality[1], endpoint=True))

    def change(self, crop: Crop, draws: int) -> Crop:
        """Compresses uint8 [H, W, 3] with the quality `draws`."""
        return compress(crop, draws)

    def change_batch(self, crops: "Tensor", draws: Sequence[int]) -> "Tensor":
        """Compresses float32 [N, 3, H, W] on the CPU, equal to `change`."""
        from facedistill.variance.batched import on_cpu

        return on_cpu(crops, [partial(compress, quality=quality) for quality in draws])


def compress(crop: Crop, quality: int) -> Crop:
    """uint8 [H, W, 3] after it was stored as JPEG of a quality 1..100."""
    return decode_picture(encode_picture(crop, ".jpg", quality), "a compressed crop")
