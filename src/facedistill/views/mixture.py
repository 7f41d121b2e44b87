"""A mixture of two faces."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from facedistill.checks import check_number, check_range
from facedistill.views.part import Context, Picture, PixelPart

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Mixture(PixelPart[float]):
    """Shows s x the first face + (1 - s) x the second one in a share of the pictures.

    Mixup of Zhang et al. (ICLR 2018, https://arxiv.org/abs/1710.09412), asked of the teacher as in Beyer et al. (CVPR
    2022, https://arxiv.org/abs/2106.05237). Above 1, the first face is extrapolated away from the second.

    Attributes:
        share_range: (least, most) s, drawn uniformly.
        probability: Share of the pictures that are mixtures.
    """

    share_range: Sequence[float] = (0.0, 1.0)
    probability: float = 0.5
    needs_partner: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_range("mixture: share_range", self.share_range, 0, 2)
        check_number("mixture: probability", self.probability, 0, 1)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> float | None:
        """Draws s."""
        return rng.uniform(self.share_range[0], self.share_range[1]) if rng.random() < self.probability else None

    def share(self, draws: float) -> float:
        """It is s, also above 1."""
        return draws

    def change(self, picture: Picture, draws: float, context: Context[Picture]) -> Picture:
        """Mixes float32 [h, w, 3]."""
        partner = context.partner
        return partner + np.float32(draws) * (picture - partner)

    def change_batch(self, pictures: "Tensor", draws: Sequence[float], context: "Context[Tensor]") -> "Tensor":
        """Mixes float32 [N, 3, h, w]."""
        from facedistill.variance.batched import column

        partners = context.partner
        return partners + column(draws, pictures) * (pictures - partners)
