"""The multiplicative angular margin, eased in."""

import torch
from torch import Tensor
from torch.nn.functional import linear

from facedistill.checks import check_count, check_number
from facedistill.heads.base import Head, register
from facedistill.numerics import unit_rows


@register("asoftmax")
class ASoftmax(Head):
    """A-Softmax (SphereFace, Liu et al. 2017): z = |e| cos(theta), for the own class |e| (l cos + psi) / (1 + l).

    psi(theta) = (-1)^k cos(m theta) - 2k for theta in [k pi / m, (k + 1) pi / m], which falls all the way from 1 to
    1 - 2m. l = max(least, base / (1 + ease n)) after n training batches eases the margin in; without, it does not
    converge. The defaults are those of the authors' code.

    Args:
        embedding_size: Length D of the embedding.
        classes: Number of classes C.
        margin: m, a whole number of at least 1.
        base: Weight l of the plain cosine at first, above 0.
        ease: How fast it falls, above 0.
        least: Its last value, above 0.
    """

    batches: Tensor

    def __init__(
        self,
        embedding_size: int,
        classes: int,
        margin: int = 4,
        base: float = 1000.0,
        ease: float = 0.12,
        least: float = 5.0,
    ) -> None:
        self.margin = check_count("margin of the head 'asoftmax'", margin)
        self.base = check_number("base of the head 'asoftmax'", base, above=0)
        self.ease = check_number("ease of the head 'asoftmax'", ease, above=0)
        self.least = check_number("least of the head 'asoftmax'", least, above=0)
        super().__init__(embedding_size, classes, margin=self.margin, base=self.base, ease=self.ease, least=self.least)
        self.register_buffer("batches", torch.tensor(0))

    def plain_scores(self, embedding: Tensor, weight: Tensor) -> Tensor:
        """|e| cos(theta)."""
        return linear(embedding, unit_rows(weight))

    def observe(self, own_score: Tensor, length: Tensor) -> None:
        """Counts the batches."""
        del own_score, length
        self.batches = self.batches + 1

    def own_logit(self, own_score: Tensor, length: Tensor) -> Tensor:
        """|e| (l cos + psi) / (1 + l)."""
        cosine = own_score / length.clamp_min(torch.finfo(length.dtype).eps)
        plain = (self.base / (1 + self.ease * self.batches)).clamp_min(self.least).to(length)
        return (plain * own_score + length * self._falling(cosine)) / (1 + plain)

    def _falling(self, cosine: Tensor) -> Tensor:
        """psi, by the Chebyshev polynomial cos(m theta): its slope is finite at 0 and pi."""
        before, power = torch.ones_like(cosine), cosine
        for _ in range(self.margin - 1):
            before, power = power, 2 * cosine * power - before
        k = (self.margin * cosine.detach().clamp(-1, 1).acos() / torch.pi).floor().clamp_max(self.margin - 1)
        return (1 - 2 * (k % 2)) * power - 2 * k
