"""Margin softmaxes: scaled cosines to the class centres, made harder for each face's own class."""

import math

from torch import Tensor
from torch.nn.functional import linear

from facedistill.heads.base import Head, register
from facedistill.numerics import unit_rows
from facedistill.registry import check_number

# Nearer to 0 or pi than this, the sine's slope in the cosine is no longer followed: it grows without bound.
_LEAST_SQUARED_SINE = 1e-6


class CosineHead(Head):
    """z = s cos(theta), with `margined` in place of cos(theta) for the face's own class."""

    def __init__(self, embedding_size: int, classes: int, scale: float, margin: float) -> None:
        self.scale = check_number(f"scale of the head {self.name!r}", scale, above=0)
        self.margin = check_number(f"margin of the head {self.name!r}", margin, above=-1)
        super().__init__(embedding_size, classes, scale=self.scale, margin=self.margin)

    def plain_scores(self, embedding: Tensor, weight: Tensor) -> Tensor:
        """The cosine of embedding and class centre, times the scale."""
        return self.scale * linear(unit_rows(embedding), unit_rows(weight))

    def forward(self, embedding: Tensor, labels: Tensor) -> Tensor:
        """The training logits [B, C]: the scores, with each row's own class moved by the margin.

        Raises:
            UsageError: A shape is wrong or a label is not in 0..C-1.
        """
        scores = super().forward(embedding, labels)
        own = labels.unsqueeze(1)
        cosine = scores.gather(1, own) / self.scale
        return scores.scatter(1, own, self.scale * self.margined(cosine))

    def margined(self, cosine: Tensor) -> Tensor:
        """What stands for cos(theta) of the own class."""
        raise NotImplementedError


@register("amsoftmax")
class AMSoftmax(CosineHead):
    """cos(theta) - m: AM-Softmax (Wang et al. 2018), also published as CosFace.

    The defaults, s = 30 and m = 0.35, are the AM-Softmax paper's; CosFace uses s = 64 on large sets.
    """

    def __init__(self, embedding_size: int, classes: int, scale: float = 30.0, margin: float = 0.35) -> None:
        super().__init__(embedding_size, classes, scale, margin)

    def margined(self, cosine: Tensor) -> Tensor:
        """cos(theta) - m."""
        return cosine - self.margin


@register("arcface")
class ArcFace(CosineHead):
    """cos(theta + m): ArcFace (Deng et al. 2019), s = 64 and m = 0.5 as in the paper.

    Beyond theta + m = pi the cosine would rise again and reward a wrong answer; there, as in the
    authors' code, cos(theta) - m sin(m) stands for it, which keeps falling.
    """

    def __init__(self, embedding_size: int, classes: int, scale: float = 64.0, margin: float = 0.5) -> None:
        super().__init__(embedding_size, classes, scale, margin)

    def margined(self, cosine: Tensor) -> Tensor:
        """cos(theta + m), or its continuation beyond pi."""
        m = self.margin
        sine = (1 - cosine.square()).clamp_min(_LEAST_SQUARED_SINE).sqrt()
        within = cosine * math.cos(m) - sine * math.sin(m)
        return within.where(cosine > math.cos(math.pi - m), cosine - m * math.sin(m))
