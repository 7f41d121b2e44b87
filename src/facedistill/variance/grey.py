"""No colour."""

from dataclasses import dataclass

import cv2
import numpy as np

from facedistill.variance.checks import Crop, as_crop, check_crop, check_number


@dataclass(frozen=True)
class Grey:
    """Takes the colour from a share of the crops (ITU-R BT.601 luma in all three channels).

    Attributes:
        probability: Share of the crops that lose their colour.
    """

    probability: float = 0.2

    def __post_init__(self) -> None:
        check_number("grey: probability", self.probability, 0, 1)

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Crop:
        """Makes uint8 [H, W, 3] grey, or returns it as it is."""
        check_crop(crop)
        if rng.random() >= self.probability:
            return crop
        return as_crop(cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))
