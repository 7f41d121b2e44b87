"""The outputs of a net for a batch of faces; teacher and student share this class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # importing this module must not need torch
    from torch import Tensor


@dataclass(frozen=True)
class Outputs:
    """The outputs of a net for a batch.

    Attributes:
        embedding: [B, D], not normalised.
        logits: [B, C] class scores, or None where the net has no classifier.
        features: Intermediate feature maps, each [B, c, h, w], from shallow to deep.
        lengths: [B], of a teacher's targets alone: how long each embedding was when its mean was taken off, before it
            was brought to unit length.
    """

    embedding: Tensor
    logits: Tensor | None = None
    features: tuple[Tensor, ...] = ()
    lengths: Tensor | None = None
