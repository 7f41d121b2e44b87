"""A face that was aligned less well."""

from dataclasses import dataclass

import cv2
import numpy as np

from facedistill.variance.checks import Crop, as_crop, check_crop, check_number


@dataclass(frozen=True)
class ShiftRotate:
    """Shifts, turns and scales a share of the crops about their middle; the border is repeated outwards.

    Attributes:
        shift: Shift in x and in y, each drawn from -shift..shift; a fraction of the crop's width and height.
        angle: Turn, drawn from -angle..angle; degrees.
        scale: Scale, drawn from 1 - scale..1 + scale.
        probability: Share of the crops that are moved.
    """

    shift: float = 0.04
    angle: float = 8.0
    scale: float = 0.08
    probability: float = 0.5

    def __post_init__(self) -> None:
        check_number("shift_rotate: shift", self.shift, 0, 0.5)
        check_number("shift_rotate: angle", self.angle, 0, 180)
        check_number("shift_rotate: scale", self.scale, 0, 0.9)
        check_number("shift_rotate: probability", self.probability, 0, 1)

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Crop:
        """Moves the face within uint8 [H, W, 3], or returns it as it is."""
        check_crop(crop)
        if rng.random() >= self.probability:
            return crop
        height, width = crop.shape[:2]
        angle = rng.uniform(-self.angle, self.angle)
        scale = rng.uniform(1 - self.scale, 1 + self.scale)
        matrix = np.array(cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, scale), dtype=np.float64)
        matrix[:, 2] += rng.uniform(-self.shift, self.shift, 2) * (width, height)
        moved = cv2.warpAffine(crop, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return as_crop(moved)
