"""A face beside its place."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facedistill.checks import check_number
from facedistill.views.cut import Matrix
from facedistill.views.part import Geometry


@dataclass(frozen=True)
class Shift(Geometry):
    """Shifts the picture in x and in y.

    Attributes:
        share: Each shift is drawn uniformly from -share..share; a fraction of the picture's width and height.
    """

    share: float = 0.06

    def __post_init__(self) -> None:
        check_number("shift: share", self.share, 0, 1)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> Matrix:
        """Draws the shift in x, then in y."""
        x, y = rng.uniform(-self.share, self.share, 2)
        return self._matrix(x, y, height, width)

    def extremes(self, height: int, width: int) -> Sequence[Matrix]:
        """The shifts to the four corners."""
        ends = (-self.share, self.share)
        return [self._matrix(x, y, height, width) for x in ends for y in ends]

    def _matrix(self, x: float, y: float, height: int, width: int) -> Matrix:
        matrix = np.eye(3)
        matrix[:2, 2] = x * width, y * height
        return matrix
