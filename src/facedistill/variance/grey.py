"""No colour."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from facedistill.checks import check_number
from facedistill.variance.checks import Crop, as_crop
from facedistill.variance.drawn import DrawnVariance

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Grey(DrawnVariance[tuple[()]]):
    """Takes the colour from a share of the crops (ITU-R BT.601 luma in all three channels).

    Attributes:
        probability: Share of the crops that lose their colour.
    """

    probability: float = 0.2

    def __post_init__(self) -> None:
        check_number("grey: probability", self.probability, 0, 1)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> tuple[()] | None:
        """Draws whether the colour goes; there is nothing else to draw."""
        return () if rng.random() < self.probability else None

    def change(self, crop: Crop, draws: tuple[()]) -> Crop:
        """Makes uint8 [H, W, 3] grey."""
        return as_crop(cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))

    def change_batch(self, crops: "Tensor", draws: Sequence[tuple[()]]) -> "Tensor":
        """Makes float32 [N, 3, H, W] grey; within one level of `change`, which has weights in whole numbers."""
        from facedistill.variance.batched import without_colour

        return without_colour(crops)
