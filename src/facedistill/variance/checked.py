"""A variance of another package, checked at each crop."""

from dataclasses import dataclass

import numpy as np

from facedistill.errors import UsageError
from facedistill.foreign import foreign_errors
from facedistill.variance.checks import Crop, Variance
from facedistill.variance.drawn import DrawnVariance


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
        """Calls the variance with uint8 [H, W, 3], see `with_rows`."""
        return self.with_rows(crop, rng)[0]

    def with_rows(self, crop: Crop, rng: np.random.Generator) -> tuple[Crop, int | None]:
        """Calls the variance with uint8 [H, W, 3].

        Returns:
            The changed crop, and how many rows of pixels are left of it, see `DrawnVariance.rows_left`; None where the
            variance does not tell.

        Raises:
            UsageError: What it returns is no crop of the same size, or no number of rows.
            FacedistillError: It raises an error.
        """
        rows = None
        with foreign_errors(f"the variance {self.name!r} fails", self.name):
            if isinstance(self.variance, DrawnVariance):
                drawn = self.variance.draw(rng, *crop.shape[:2])
                changed = crop if drawn is None else self.variance.apply(crop, drawn)
                rows = None if drawn is None else self.variance.rows_left(drawn)
            else:
                changed = self.variance(crop, rng)
        if not isinstance(changed, np.ndarray) or changed.dtype != np.uint8 or changed.shape != crop.shape:
            found = (
                f"{changed.dtype} {list(changed.shape)}" if isinstance(changed, np.ndarray) else type(changed).__name__
            )
            raise UsageError(f"the variance {self.name!r} gives {found}, not a crop uint8 {list(crop.shape)}")
        if rows is not None and not (isinstance(rows, int | np.integer) and 1 <= rows <= len(crop)):
            raise UsageError(
                f"the variance {self.name!r} leaves {rows!r:.40} rows, not a whole number of 1..{len(crop)}"
            )
        return changed, rows
