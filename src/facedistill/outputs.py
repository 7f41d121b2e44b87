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
    """

    embedding: Tensor
    logits: Tensor | None = None
    features: tuple[Tensor, ...] = ()
