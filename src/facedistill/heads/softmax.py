"""The plain linear classifier."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from facedistill.errors import UsageError
from facedistill.heads.base import Head, register
from facedistill.numerics import at_least_float32


@register("softmax")
class Softmax(Head):
    """z = W e (+ b); no normalisation, no margin."""

    def __init__(self, embedding_size: int, classes: int, bias: bool = False) -> None:
        if not isinstance(bias, bool):
            raise UsageError(f"bias of the head 'softmax' must be true or false, not {bias!r}")
        super().__init__(embedding_size, classes, bias=bias)
        self.bias = nn.Parameter(torch.zeros(classes)) if bias else None

    def plain_scores(self, embedding: Tensor, weight: Tensor) -> Tensor:
        """W e + b."""
        return linear(embedding, weight, None if self.bias is None else at_least_float32(self.bias))
