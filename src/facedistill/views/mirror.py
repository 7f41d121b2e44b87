"""Left and right exchanged."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facedistill.checks import check_number
from facedistill.views.cut import Matrix
from facedistill.views.part import Geometry, about_middle


@dataclass(frozen=True)
class Mirror(Geometry):
    """Mirrors a share of the pictures.

    Attributes:
        probability: Share of the pictures that are mirrored.
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        check_number("mirror: probability", self.probability, 0, 1)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> Matrix | None:
        """Draws whether to mirror."""
        return self._matrix(height, width) if rng.random() < self.probability else None

    def extremes(self, height: int, width: int) -> Sequence[Matrix]:
        """The mirrored picture; the picture itself has as much of the face."""
        return [self._matrix(height, width)]

    def _matrix(self, height: int, width: int) -> Matrix:
        return about_middle(np.diag([-1.0, 1.0]), height, width)
