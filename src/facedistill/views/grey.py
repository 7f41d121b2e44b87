"""No colour."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from facedistill.checks import check_number
from facedistill.variance.checks import LUMA
from facedistill.views.part import Context, Picture, PixelPart

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Grey(PixelPart[tuple[()]]):
    """Takes the colour from a share of the pictures (ITU-R BT.601 luma in all three channels).

    Attributes:
        probability: Share of the pictures that lose their colour.
    """

    probability: float = 0.3

    def __post_init__(self) -> None:
        check_number("grey: probability", self.probability, 0, 1)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> tuple[()] | None:
        """Draws whether the colour goes."""
        return () if rng.random() < self.probability else None

    def change(self, picture: Picture, draws: tuple[()], context: Context[Picture]) -> Picture:
        """Makes float32 [h, w, 3] grey."""
        return np.repeat((picture @ np.array(LUMA, dtype=np.float32))[..., None], 3, axis=2)

    def change_batch(self, pictures: "Tensor", draws: Sequence[tuple[()]], context: "Context[Tensor]") -> "Tensor":
        """Makes float32 [N, 3, h, w] grey."""
        from facedistill.variance.batched import without_colour

        return without_colour(pictures)
