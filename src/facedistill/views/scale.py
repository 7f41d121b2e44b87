"""A face that is larger or smaller in its picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facedistill.checks import check_range
from facedistill.views.cut import Matrix
from facedistill.views.part import Geometry, about_middle


@dataclass(frozen=True)
class Scale(Geometry):
    """Scales the picture about its middle.

    Attributes:
        factor: (least, most) factor, drawn uniformly.
    """

    factor: Sequence[float] = (0.92, 1.08)

    def __post_init__(self) -> None:
        check_range("scale: factor", self.factor, 0.25, 4)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> Matrix:
        """Draws the factor."""
        return about_middle(np.eye(2) * rng.uniform(self.factor[0], self.factor[1]), height, width)

    def extremes(self, height: int, width: int) -> Sequence[Matrix]:
        """The smallest and the largest face."""
        return [about_middle(np.eye(2) * factor, height, width) for factor in self.factor]
