"""Other light: brightness and contrast."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from facedistill.checks import check_number
from facedistill.variance.checks import Crop, as_crop
from facedistill.variance.drawn import DrawnVariance

if TYPE_CHECKING:
    from torch import Tensor

_MIDDLE = 127.5


class Light(NamedTuple):
    """What is drawn for one crop.

    Attributes:
        shift: 255 b, in grey levels.
        factor: c.
    """

    shift: float
    factor: float


@dataclass(frozen=True)
class BrightnessContrast(DrawnVariance[Light]):
    """Maps each grey level v to c (v - 127.5) + 127.5 + 255 b, with b and c drawn uniformly.

    Attributes:
        brightness: b is drawn from -brightness..brightness; a fraction of the full range.
        contrast: c is drawn from 1 - contrast..1 + contrast.
        probability: Share of the crops that are changed.
    """

    brightness: float = 0.2
    contrast: float = 0.2
    probability: float = 0.5

    def __post_init__(self) -> None:
        check_number("brightness_contrast: brightness", self.brightness, 0, 1)
        check_number("brightness_contrast: contrast", self.contrast, 0, 1)
        check_number("brightness_contrast: probability", self.probability, 0, 1)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> Light | None:
        """Draws brightness, then contrast."""
        if rng.random() >= self.probability:
            return None
        shift = 255 * rng.uniform(-self.brightness, self.brightness)
        return Light(shift, rng.uniform(1 - self.contrast, 1 + self.contrast))

    def change(self, crop: Crop, draws: Light) -> Crop:
        """Changes the light of uint8 [H, W, 3]."""
        levels = draws.factor * (np.arange(256) - _MIDDLE) + _MIDDLE + draws.shift
        return as_crop(cv2.LUT(crop, np.rint(levels).clip(0, 255).astype(np.uint8)))

    def change_batch(self, crops: "Tensor", draws: Sequence[Light]) -> "Tensor":
        """Changes the light of float32 [N, 3, H, W]; within one level of `change`, which rounds from float64."""
        from facedistill.variance.batched import column

        factor, shift = (
            column([drawn.factor for drawn in draws], crops),
            column([drawn.shift for drawn in draws], crops),
        )
        return factor * (crops - _MIDDLE) + (_MIDDLE + shift)
