"""Margin softmaxes: scaled cosines to the class centres, made harder for each face's own class."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from facedistill.checks import check_number
from facedistill.heads.base import Head, register
from facedistill.numerics import unit_rows

# Nearer to 0 or pi than this, the sine's slope in the cosine is no longer followed: it grows without bound.
_LEAST_SQUARED_SINE = 1e-6


class CosineHead(Head):
    """z = s cos(theta), with `margined` in place of cos(theta) for the face's own class."""

    def __init__(self, embedding_size: int, classes: int, scale: float, **options: Any) -> None:
        self.scale = check_number(f"scale of the head {self.name!r}", scale, above=0)
        super().__init__(embedding_size, classes, scale=self.scale, **options)

    def plain_scores(self, embedding: Tensor, weight: Tensor) -> Tensor:
        """The cosine of embedding and class centre, times the scale."""
        return self.scale * linear(unit_rows(embedding), unit_rows(weight))

    def own_logit(self, own_score: Tensor, length: Tensor) -> Tensor:
        """The scale times `margined`."""
        return self.scale * self.margined(own_score / self.scale, length)

    def margined(self, cosine: Tensor, length: Tensor) -> Tensor:
        """What stands for cos(theta) of the own class, given the embedding's length; all [B, 1]."""
        raise NotImplementedError


class MarginHead(CosineHead):
    """A cosine head with one margin for all faces."""

    def __init__(self, embedding_size: int, classes: int, scale: float, margin: float) -> None:
        self.margin = check_number(f"margin of the head {self.name!r}", margin, above=-1)
        super().__init__(embedding_size, classes, scale, margin=self.margin)


@register("amsoftmax")
class AMSoftmax(MarginHead):
    """cos(theta) - m: AM-Softmax (Wang et al. 2018), also published as CosFace.

    The defaults, s = 30 and m = 0.35, are the AM-Softmax paper's; CosFace uses s = 64 on large sets.
    """

    def __init__(self, embedding_size: int, classes: int, scale: float = 30.0, margin: float = 0.35) -> None:
        super().__init__(embedding_size, classes, scale, margin)

    def margined(self, cosine: Tensor, length: Tensor) -> Tensor:
        """cos(theta) - m."""
        del length
        return cosine - self.margin


@register("arcface")
class ArcFace(MarginHead):
    """cos(theta + m): ArcFace (Deng et al. 2019), s = 64 and m = 0.5 as in the paper.

    Beyond theta + m = pi the cosine would rise again and reward a wrong answer; there, as in the
    authors' code, cos(theta) - m sin(m) stands for it, which keeps falling.
    """

    def __init__(self, embedding_size: int, classes: int, scale: float = 64.0, margin: float = 0.5) -> None:
        super().__init__(embedding_size, classes, scale, margin)

    def margined(self, cosine: Tensor, length: Tensor) -> Tensor:
        """cos(theta + m), or its continuation beyond pi."""
        del length
        return add_angle(cosine, self.margin)


def add_angle(cosine: Tensor, angle: Tensor | float) -> Tensor:
    """cos(theta + angle) from cos(theta); it never rises with theta in 0..pi.

    Where theta + angle > pi, cos(theta) - angle sin(angle) continues it; where theta + angle < 0 it is 1.

    Args:
        cosine: cos(theta), any shape.
        angle: In radians, -pi..pi; one, or a tensor that broadcasts.
    """
    angle = torch.as_tensor(angle, dtype=cosine.dtype, device=cosine.device)
    sine = (1 - cosine.square()).clamp_min(_LEAST_SQUARED_SINE).sqrt()
    moved = cosine * angle.cos() - sine * angle.sin()
    moved = moved.where((angle <= 0) | (cosine > (math.pi - angle).cos()), cosine - angle * angle.sin())
    return moved.where((angle >= 0) | (cosine < angle.cos()), torch.ones_like(moved))
