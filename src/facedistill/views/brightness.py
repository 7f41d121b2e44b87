"""More or less light."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from facedistill.checks import check_number
from facedistill.views.part import Context, Picture, PixelPart

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Brightness(PixelPart[float]):
    """Adds a number of grey levels to each value.

    Attributes:
        levels: The number is drawn uniformly from -levels..levels.
    """

    levels: float = 30.0

    def __post_init__(self) -> None:
        check_number("brightness: levels", self.levels, 0, 128)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> float:
        """Draws the number."""
        return rng.uniform(-self.levels, self.levels)

    def change(self, picture: Picture, draws: float, context: Context[Picture]) -> Picture:
        """Adds to float32 [h, w, 3]."""
        return picture + np.float32(draws)

    def change_batch(self, pictures: "Tensor", draws: Sequence[float], context: "Context[Tensor]") -> "Tensor":
        """Adds to float32 [N, 3, h, w]."""
        from facedistill.variance.batched import column

        return pictures + column(draws, pictures)
