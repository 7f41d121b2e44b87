"""Several variances, one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facedistill.variance.checks import Crop, Variance, check_crop


@dataclass(frozen=True)
class Compose:
    """Applies each variance to the answer of the one before it.

    Attributes:
        variances: In the order in which they are applied; none at all leaves the crop as it is.
    """

    variances: Sequence[Variance] = ()

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Crop:
        """Applies all to uint8 [H, W, 3]."""
        check_crop(crop)
        for variance in self.variances:
            crop = variance(crop, rng)
        return crop
