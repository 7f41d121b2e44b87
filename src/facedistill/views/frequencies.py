"""Coarse shape of one face, fine detail of another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facedistill.checks import check_number, check_range
from facedistill.views.part import Context, Picture, PixelPart

if TYPE_CHECKING:
    from torch import Tensor


class Split(NamedTuple):
    """What is drawn for one picture.

    Attributes:
        sigma: Width of the Gaussian that parts low from high, a fraction of the picture's height.
        low: Whether the first face gives the low frequencies; else the high ones.
    """

    sigma: float
    low: bool


@dataclass(frozen=True)
class Frequencies(PixelPart[Split]):
    """Shows the low frequencies of one face and the high ones of another in a share of the pictures.

    Hybrid images of Oliva, Torralba & Schyns (SIGGRAPH 2006).

    Attributes:
        sigma: (least, most) width of the Gaussian that parts the two, a fraction of the picture's height; uniform.
        probability: Share of the pictures that are such hybrids.
    """

    sigma: Sequence[float] = (0.015, 0.06)
    probability: float = 0.3
    needs_partner: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_range("frequencies: sigma", self.sigma, 0.005, 0.2)
        check_number("frequencies: probability", self.probability, 0, 1)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> Split | None:
        """Draws where to part them, and which face gives which."""
        if rng.random() >= self.probability:
            return None
        return Split(rng.uniform(self.sigma[0], self.sigma[1]), bool(rng.random() < 0.5))

    def share(self, draws: Split) -> float:
        """A half: neither face is the one that is shown."""
        return 0.5

    def change(self, picture: Picture, draws: Split, context: Context[Picture]) -> Picture:
        """Mixes float32 [h, w, 3]."""
        # What the other face has more of, split: its low frequencies, or what is left of it without them.
        other = context.partner - picture
        down, across = (_blur(side, draws.sigma * context.size[1]) for side in picture.shape[:2])
        low = np.einsum("ij,jkc,lk->ilc", down, other, across, optimize=True)
        return np.asarray(picture + (other - low if draws.low else low), dtype=np.float32)

    def change_batch(self, pictures: "Tensor", draws: Sequence[Split], context: "Context[Tensor]") -> "Tensor":
        """Mixes float32 [N, 3, h, w]."""
        import torch

        from facedistill.variance.batched import column

        other = context.partner - pictures
        sigma = torch.tensor([drawn.sigma for drawn in draws], device=pictures.device) * context.size[1]

        def blur(side: int) -> "Tensor":
            away = torch.arange(side, device=pictures.device)[:, None] - torch.arange(side, device=pictures.device)
            return torch.softmax(-(away**2) / (2 * sigma[:, None, None] ** 2), dim=2)[:, None]

        low = blur(pictures.shape[2]) @ other @ blur(pictures.shape[3]).mT
        first_low = column([drawn.low for drawn in draws], pictures)
        return pictures + first_low * (other - low) + (1 - first_low) * low


def _blur(side: int, sigma: float) -> NDArray[np.float32]:
    """A Gaussian along a side, float32 [side, side]; at the borders, what lies within is weighted alone."""
    away = np.arange(side)[:, None] - np.arange(side)
    weights = np.exp(-(away**2) / (2 * sigma**2))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)
