"""An additive angular margin, and other classes that weigh the more, the better the net has become."""

import torch
from torch import Tensor

from facedistill.checks import check_share
from facedistill.heads.base import register
from facedistill.heads.margins import MarginHead, add_angle


@register("curricularface")
class CurricularFace(MarginHead):
    """CurricularFace (Huang et al. 2020): cos(theta_y + m) for the own class, N for another class j.

    N = cos(theta_j) where it is below cos(theta_y + m), else cos(theta_j) (t + cos(theta_j)): a hard other class. t is
    the mean of cos(theta_y), averaged over the training batches from 0 on; it moves before the logits are taken. The
    guard beyond pi is ArcFace's. The defaults are the paper's.

    Args:
        embedding_size: Length D of the embedding.
        classes: Number of classes C.
        scale: s, above 0.
        margin: m in radians, above -1.
        momentum: Share of the new batch in t, above 0 and at most 1.
    """

    t: Tensor

    def __init__(
        self, embedding_size: int, classes: int, scale: float = 64.0, margin: float = 0.5, momentum: float = 0.01
    ) -> None:
        self.momentum = check_share("momentum of the head 'curricularface'", momentum)
        super().__init__(embedding_size, classes, scale, margin)
        self.options["momentum"] = self.momentum
        self.register_buffer("t", torch.tensor(0.0))

    def observe(self, own_score: Tensor, length: Tensor) -> None:
        """Moves t towards the batch's mean cosine."""
        del length
        mean = own_score.detach().mean() / self.scale
        self.t = self.momentum * mean.to(self.t) + (1 - self.momentum) * self.t

    def margined(self, cosine: Tensor, length: Tensor) -> Tensor:
        """cos(theta + m), or its continuation beyond pi."""
        del length
        return add_angle(cosine, self.margin)

    def other_logits(self, scores: Tensor, own_logit: Tensor) -> Tensor:
        """The scale times N."""
        harder = scores * (self.t.to(scores) + scores / self.scale)
        return scores.where(scores < own_logit, harder)
