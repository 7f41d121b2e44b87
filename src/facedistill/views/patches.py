"""A patch of another face."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from facedistill.checks import check_number, check_range
from facedistill.views.part import Context, Picture, PixelPart
from facedistill.views.shapes import Shape, cover, cover_batch, draw_shape, visible_area

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Patches(PixelPart[Shape]):
    """Shows a box of the second face in a share of the pictures (CutMix, Yun et al., ICCV 2019).

    Source: https://arxiv.org/abs/1905.04899. Both faces are aligned, so a mouth replaces a mouth.

    Attributes:
        area: (least, most) area of the box, a fraction of the picture, drawn uniformly; what lies outside is lost.
        probability: Share of the pictures that get a patch.
    """

    area: Sequence[float] = (0.1, 0.4)
    probability: float = 0.3
    needs_partner: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_range("patches: area", self.area, 0.001, 0.9)
        check_number("patches: probability", self.probability, 0, 1)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> Shape | None:
        """Draws the box."""
        return draw_shape(rng, self.area, ellipses=False) if rng.random() < self.probability else None

    def share(self, draws: Shape) -> float:
        """What the box leaves of the picture's area."""
        return 1 - visible_area(draws)

    def change(self, picture: Picture, draws: Shape, context: Context[Picture]) -> Picture:
        """Patches float32 [h, w, 3]."""
        return picture + cover(draws, context) * (context.partner - picture)

    def change_batch(self, pictures: "Tensor", draws: Sequence[Shape], context: "Context[Tensor]") -> "Tensor":
        """Patches float32 [N, 3, h, w]."""
        return pictures + cover_batch(draws, context, pictures) * (context.partner - pictures)
