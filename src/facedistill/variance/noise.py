"""The noise of a camera in poor light."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facedistill.variance.checks import Crop, check_crop, check_number, check_range


@dataclass(frozen=True)
class GaussianNoise:
    """Adds independent Gaussian noise to every value of a share of the crops.

    Attributes:
        sigma: (least, most) standard deviation in grey levels (0..255), drawn uniformly once per crop.
        probability: Share of the crops that get noise.
    """

    sigma: Sequence[float] = (0.0, 10.0)
    probability: float = 0.3

    def __post_init__(self) -> None:
        check_range("noise: sigma", self.sigma, 0, 255)
        check_number("noise: probability", self.probability, 0, 1)

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Crop:
        """Adds noise to uint8 [H, W, 3], or returns it as it is."""
        check_crop(crop)
        if rng.random() >= self.probability:
            return crop
        sigma = np.float32(rng.uniform(self.sigma[0], self.sigma[1]))
        noisy = crop + sigma * rng.standard_normal(crop.shape, dtype=np.float32)
        return np.rint(noisy).clip(0, 255).astype(np.uint8)
