"""The head turned in the picture's plane."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facedistill.checks import check_number
from facedistill.views.cut import Matrix
from facedistill.views.part import Geometry, about_middle


@dataclass(frozen=True)
class Turn(Geometry):
    """Turns the picture about its middle.

    Attributes:
        degrees: The turn is drawn uniformly from -degrees..degrees.
    """

    degrees: float = 8.0

    def __post_init__(self) -> None:
        check_number("turn: degrees", self.degrees, 0, 180)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> Matrix:
        """Draws the turn."""
        return self._matrix(rng.uniform(-self.degrees, self.degrees), height, width)

    def extremes(self, height: int, width: int) -> Sequence[Matrix]:
        """The widest turns to both sides."""
        return [self._matrix(degrees, height, width) for degrees in (-self.degrees, self.degrees)]

    def _matrix(self, degrees: float, height: int, width: int) -> Matrix:
        sine, cosine = np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees))
        return about_middle(np.array([[cosine, sine], [-sine, cosine]]), height, width)
