"""A variance of another package, checked at each crop."""

from dataclasses import dataclass

import numpy as np

from facedistill.errors import UsageError
from facedistill.foreign import foreign_errors
from facedistill.variance.checks import Crop, Variance


@dataclass(frozen=True)
class CheckedVariance:
    """A variance whose errors are one line, and whose answer is checked.

    Attributes:
        variance: The variance itself.
        name: Its name, `package.module:Class`.
    """

    variance: Variance
    name: str

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Crop:
        """Calls the variance with uint8 [H, W, 3].

        Raises:
            UsageError: What it returns is no crop of the same size.
            FacedistillError: It raises an error.
        """
        with foreign_errors(f"the variance {self.name!r} fails", self.name):
            changed = self.variance(crop, rng)
        if not isinstance(changed, np.ndarray) or changed.dtype != np.uint8 or changed.shape != crop.shape:
            found = (
                f"{changed.dtype} {list(changed.shape)}" if isinstance(changed, np.ndarray) else type(changed).__name__
            )
            raise UsageError(f"the variance {self.name!r} gives {found}, not a crop uint8 {list(crop.shape)}")
        return changed
