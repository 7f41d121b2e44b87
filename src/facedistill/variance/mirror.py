"""Left and right exchanged."""

from dataclasses import dataclass

import numpy as np

from facedistill.variance.checks import Crop, check_crop, check_number


@dataclass(frozen=True)
class Mirror:
    """Mirrors a share of the crops.

    Attributes:
        probability: Share of the crops that are mirrored.
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        check_number("mirror: probability", self.probability, 0, 1)

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Crop:
        """Mirrors uint8 [H, W, 3], or returns it as it is."""
        check_crop(crop)
        if rng.random() >= self.probability:
            return crop
        return crop[:, ::-1].copy()  # of a crop one pixel wide, the mirrored view is the crop
