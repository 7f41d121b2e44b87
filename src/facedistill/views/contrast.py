"""Harder or softer light."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from facedistill.checks import check_number
from facedistill.views.part import Context, Picture, PixelPart

if TYPE_CHECKING:
    from torch import Tensor

_MIDDLE = 127.5


@dataclass(frozen=True)
class Contrast(PixelPart[float]):
    """Maps each level v to c (v - 127.5) + 127.5.

    Attributes:
        spread: log c is drawn uniformly from -spread..spread.
    """

    spread: float = 0.3

    def __post_init__(self) -> None:
        check_number("contrast: spread", self.spread, 0, 1.5)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> float:
        """Draws c."""
        return float(np.exp(rng.uniform(-self.spread, self.spread)))

    def change(self, picture: Picture, draws: float, context: Context[Picture]) -> Picture:
        """Maps float32 [h, w, 3]."""
        return np.float32(draws) * (picture - np.float32(_MIDDLE)) + np.float32(_MIDDLE)

    def change_batch(self, pictures: "Tensor", draws: Sequence[float], context: "Context[Tensor]") -> "Tensor":
        """Maps float32 [N, 3, h, w]."""
        from facedistill.variance.batched import column

        return column(draws, pictures) * (pictures - _MIDDLE) + _MIDDLE
