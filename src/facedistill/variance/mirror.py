"""Left and right exchanged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from facedistill.checks import check_number
from facedistill.variance.checks import Crop
from facedistill.variance.drawn import DrawnVariance

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Mirror(DrawnVariance[tuple[()]]):
    """Mirrors a share of the crops.

    Attributes:
        probability: Share of the crops that are mirrored.
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        check_number("mirror: probability", self.probability, 0, 1)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> tuple[()] | None:
        """Draws whether to mirror; there is nothing else to draw."""
        return () if rng.random() < self.probability else None

    def change(self, crop: Crop, draws: tuple[()]) -> Crop:
        """Mirrors uint8 [H, W, 3]."""
        return crop[:, ::-1].copy()  # of a crop one pixel wide, the mirrored view is the crop

    def change_batch(self, crops: "Tensor", draws: Sequence[tuple[()]]) -> "Tensor":
        """Mirrors float32 [N, 3, H, W], equal to `change`."""
        return crops.flip(3)
