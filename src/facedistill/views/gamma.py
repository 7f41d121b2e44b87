"""A camera with another tone curve."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from facedistill.checks import check_number
from facedistill.views.part import Context, Picture, PixelPart

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Gamma(PixelPart[float]):
    """Maps each level v to 255 (v / 255)^g.

    Attributes:
        spread: log g is drawn uniformly from -spread..spread.
    """

    spread: float = 0.35

    def __post_init__(self) -> None:
        check_number("gamma: spread", self.spread, 0, 1.5)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> float:
        """Draws g."""
        return float(np.exp(rng.uniform(-self.spread, self.spread)))

    def change(self, picture: Picture, draws: float, context: Context[Picture]) -> Picture:
        """Maps float32 [h, w, 3]."""
        return np.float32(255) * (picture / np.float32(255)) ** np.float32(draws)

    def change_batch(self, pictures: "Tensor", draws: Sequence[float], context: "Context[Tensor]") -> "Tensor":
        """Maps float32 [N, 3, h, w]."""
        from facedistill.variance.batched import column

        return 255 * (pictures / 255) ** column(draws, pictures)
