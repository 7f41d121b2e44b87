"""Shapes laid over a picture: how much of each pixel they cover, so that edges are as soft as a pixel is wide."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from facedistill.views.part import Context, Picture

if TYPE_CHECKING:
    from torch import Tensor


_LONGEST = float(np.log(2))  # a box is at most twice as long as wide


class Shape(NamedTuple):
    """A box, or the ellipse in it; sides along the picture's, all lengths fractions of the picture's sides.

    Attributes:
        x: Place of its middle.
        y: Place of its middle.
        width: Its width.
        height: Its height.
        ellipse: Whether it is the ellipse.
    """

    x: float
    y: float
    width: float
    height: float
    ellipse: bool


def draw_shape(rng: np.random.Generator, area: Sequence[float], ellipses: bool) -> Shape:
    """A shape whose box has its middle anywhere in the picture.

    Args:
        rng: Where random numbers come from.
        area: (least, most) area of the box, a fraction of the picture's, drawn uniformly.
        ellipses: Whether half of the shapes are ellipses; else all are boxes.
    """
    size, ratio = rng.uniform(area[0], area[1]), np.exp(rng.uniform(-_LONGEST, _LONGEST))
    x, y = rng.random(2)
    ellipse = ellipses and bool(rng.random() < 0.5)
    return Shape(x, y, float((size * ratio) ** 0.5), float((size / ratio) ** 0.5), ellipse)


def visible_area(shape: Shape) -> float:
    """The part of the picture, 0..1, that is covered by the shape's box."""
    sides = [
        max(0.0, min(1.0, middle + side / 2) - max(0.0, middle - side / 2))
        for middle, side in ((shape.x, shape.width), (shape.y, shape.height))
    ]
    return sides[0] * sides[1]


def cover(shape: Shape, context: Context[Picture]) -> Picture:
    """How much of each pixel is covered: float32 [h, w, 1], 0..1."""
    middle, half = np.array(shape[:2]), np.array(shape[2:4]) * context.size / 2
    away = np.abs(context.points - middle) * context.size  # in pixels
    if shape.ellipse:
        covered = (1 - np.sqrt(((away / half) ** 2).sum(axis=2))) * half.min() + 0.5
        return np.asarray(covered.clip(0, 1), dtype=np.float32)[..., None]
    sides = (half - away + 0.5).clip(0, 1)
    return np.asarray(sides.prod(axis=2), dtype=np.float32)[..., None]


def cover_batch(shapes: Sequence[Shape], context: "Context[Tensor]", like: "Tensor") -> "Tensor":
    """The same for N shapes on the device of `like`: float32 [N, 1, h, w]."""
    import torch

    size = torch.tensor(context.size, device=like.device)
    values = torch.tensor(np.array(shapes, dtype=np.float32), device=like.device)[:, None, None]  # [N, 1, 1, 5]
    half = values[..., 2:4] * size / 2
    away = (context.points_on(like.device) - values[..., :2]).abs() * size  # [N, h, w, 2]
    sides = (half - away + 0.5).clamp(0, 1).prod(dim=3)
    round_ = ((1 - (away / half).square().sum(dim=3).sqrt()) * half.amin(dim=3) + 0.5).clamp(0, 1)
    return torch.where(values[..., 4] > 0, round_, sides)[:, None]
