"""Something before the face."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facedistill.checks import check_number, check_range
from facedistill.views.part import Context, Picture, PixelPart
from facedistill.views.shapes import Shape, cover, cover_batch, draw_shape

if TYPE_CHECKING:
    from torch import Tensor


class Occlusion(NamedTuple):
    """What is drawn for one picture.

    Attributes:
        shape: What is covered.
        colour: float32 [3], RGB 0..255.
    """

    shape: Shape
    colour: NDArray[np.float32]


@dataclass(frozen=True)
class Occluder(PixelPart[Occlusion]):
    """Covers a part of a share of the pictures with a box or an ellipse of one colour.

    After random erasing (Zhong et al., AAAI 2020, https://arxiv.org/abs/1708.04896).

    Attributes:
        area: (least, most) area of the shape's box, a fraction of the picture, drawn uniformly.
        probability: Share of the pictures that are covered.
    """

    area: Sequence[float] = (0.02, 0.2)
    probability: float = 0.3

    def __post_init__(self) -> None:
        check_range("occluder: area", self.area, 0.001, 0.5)
        check_number("occluder: probability", self.probability, 0, 1)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> Occlusion | None:
        """Draws shape and colour."""
        if rng.random() >= self.probability:
            return None
        shape = draw_shape(rng, self.area, ellipses=True)
        return Occlusion(shape, rng.uniform(0, 255, 3).astype(np.float32))

    def change(self, picture: Picture, draws: Occlusion, context: Context[Picture]) -> Picture:
        """Covers float32 [h, w, 3]."""
        return picture + cover(draws.shape, context) * (draws.colour - picture)

    def change_batch(self, pictures: "Tensor", draws: Sequence[Occlusion], context: "Context[Tensor]") -> "Tensor":
        """Covers float32 [N, 3, h, w]."""
        import torch

        covered = cover_batch([drawn.shape for drawn in draws], context, pictures)
        colours = torch.from_numpy(np.stack([drawn.colour for drawn in draws])).to(pictures.device)
        return pictures + covered * (colours[:, :, None, None] - pictures)
