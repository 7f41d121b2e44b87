"""Other light: brightness and contrast."""

from dataclasses import dataclass

import cv2
import numpy as np

from facedistill.variance.checks import Crop, as_crop, check_crop, check_number

_MIDDLE = 127.5


@dataclass(frozen=True)
class BrightnessContrast:
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

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Crop:
        """Changes the light of uint8 [H, W, 3], or returns it as it is."""
        check_crop(crop)
        if rng.random() >= self.probability:
            return crop
        shift = 255 * rng.uniform(-self.brightness, self.brightness)
        factor = rng.uniform(1 - self.contrast, 1 + self.contrast)
        levels = factor * (np.arange(256) - _MIDDLE) + _MIDDLE + shift
        return as_crop(cv2.LUT(crop, np.rint(levels).clip(0, 255).astype(np.uint8)))
