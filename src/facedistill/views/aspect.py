"""A face that is wider or narrower."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facedistill.checks import check_range
from facedistill.views.cut import Matrix
from facedistill.views.part import Geometry, about_middle


@dataclass(frozen=True)
class Aspect(Geometry):
    """Stretches the picture in x by a factor's square root and shrinks it in y by as much.

    Attributes:
        ratio: (least, most) factor of width to height, drawn uniformly.
    """

    ratio: Sequence[float] = (0.93, 1.07)

    def __post_init__(self) -> None:
        check_range("aspect: ratio", self.ratio, 0.25, 4)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> Matrix:
        """Draws the factor."""
        return self._matrix(rng.uniform(self.ratio[0], self.ratio[1]), height, width)

    def extremes(self, height: int, width: int) -> Sequence[Matrix]:
        """The narrowest and the widest face."""
        return [self._matrix(ratio, height, width) for ratio in self.ratio]

    def _matrix(self, ratio: float, height: int, width: int) -> Matrix:
        return about_middle(np.diag([ratio**0.5, ratio**-0.5]), height, width)
