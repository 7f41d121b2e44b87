"""Many pictures of a person as one template."""

import numpy as np

from facedistill.errors import FacedistillError
from facedistill.evaluation.metrics import Bool, Float, Int, unit_rows


class TemplateSums:
    """Sums of embeddings by group, given batch by batch.

    Args:
        groups: How many sums.
    """

    def __init__(self, groups: int) -> None:
        self.counts = np.zeros(groups, dtype=np.int64)
        self._sums: Float = np.zeros((groups, 0))

    def update(self, groups: Int, rows: Float) -> None:
        """Adds `rows` [b, D] to the sums of `groups` int64 [b]."""
        if not self._sums.shape[1]:
            self._sums = np.zeros((len(self.counts), rows.shape[1]))
        np.add.at(self._sums, groups, rows)
        np.add.at(self.counts, groups, 1)

    def means(self) -> tuple[Int, Float]:
        """The groups that hold a picture, int64 [g], and their means [g, D]."""
        filled = np.flatnonzero(self.counts)
        return filled, self._sums[filled] / self.counts[filled, None]

    def unit(self, what: str) -> tuple[Bool, Float]:
        """Which groups hold a picture, and the sums brought to length one; rows of zeros where there is none.

        Raises:
            FacedistillError: No group holds a picture, or a sum is zero.
        """
        usable = self.counts > 0
        if not usable.any():
            raise FacedistillError(f"not one of {what} holds a picture in which a face could be read; check the folder")
        unit = np.zeros_like(self._sums)
        unit[usable] = unit_rows(self._sums[usable], what)
        return usable, unit
