"""A margin that is large for hard faces of good pictures and small for those of bad ones."""

import torch
from torch import Tensor

from facedistill.checks import check_number, check_share
from facedistill.heads.base import register
from facedistill.heads.margins import MarginHead, add_angle

_SHORTEST, _LONGEST = 1e-3, 100.0  # lengths count within these, as in the authors' code
_LEAST_SPREAD = 1e-3


@register("adaface")
class AdaFace(MarginHead):
    """AdaFace (Kim et al. 2022): cos(theta - m q) - (m + m q), q = clip(h (|e| - mean) / spread, -1, 1).

    q stands for the picture's quality, from the embedding's length; no gradient goes through it. Mean and standard
    deviation of the lengths are averaged over the training batches, from 20 and 100 on, and move before the logits are
    taken. Where theta - m q < 0 the cosine is 1, beyond pi the guard is ArcFace's. The defaults are those of the
    authors' code and of the paper's best run.

    Args:
        embedding_size: Length D of the embedding.
        classes: Number of classes C.
        scale: s, above 0.
        margin: m, above -1.
        concentration: h, above 0; a third lets 68 % of the faces within -1/3..1/3.
        momentum: Share of the new batch in mean and spread, above 0 and at most 1.
    """

    mean: Tensor
    spread: Tensor

    def __init__(
        self,
        embedding_size: int,
        classes: int,
        scale: float = 64.0,
        margin: float = 0.4,
        concentration: float = 0.333,
        momentum: float = 0.01,
    ) -> None:
        self.concentration = check_number("concentration of the head 'adaface'", concentration, above=0)
        self.momentum = check_share("momentum of the head 'adaface'", momentum)
        super().__init__(embedding_size, classes, scale, margin)
        self.options |= {"concentration": self.concentration, "momentum": self.momentum}
        self.register_buffer("mean", torch.tensor(20.0))
        self.register_buffer("spread", torch.tensor(100.0))

    def observe(self, own_score: Tensor, length: Tensor) -> None:
        """Moves mean and spread towards the batch's; one face alone has no spread."""
        del own_score
        safe = length.detach().clamp(_SHORTEST, _LONGEST).to(self.mean)
        self.mean = self.momentum * safe.mean() + (1 - self.momentum) * self.mean
        if len(safe) > 1:
            self.spread = self.momentum * safe.std() + (1 - self.momentum) * self.spread

    def margined(self, cosine: Tensor, length: Tensor) -> Tensor:
        """cos(theta - m q) - (m + m q)."""
        safe = length.detach().clamp(_SHORTEST, _LONGEST)
        relative = (safe - self.mean.to(safe)) / (self.spread.to(safe) + _LEAST_SPREAD)
        quality = (self.concentration * relative).clamp(-1, 1)
        return add_angle(cosine, -self.margin * quality) - self.margin * (1 + quality)
