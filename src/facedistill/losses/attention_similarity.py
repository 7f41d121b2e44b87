"""Attention similarity: the student's attention points in the teacher's direction, over places and over channels."""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from facedistill.errors import UsageError
from facedistill.losses.attention import spatial_attention
from facedistill.losses.base import MapLoss, register
from facedistill.numerics import directions

Maps = Literal["both", "spatial", "channel"]


@register("attention_similarity")
class AttentionSimilarity(MapLoss):
    """mean_i (1 - cos(A_s, A_t)) over spatial and channel attention, 0..1 (A-SKD, Shin et al., ECCV 2022).

    The paper's maps A are those of CBAM blocks. These nets have none, so the activations speak for themselves: the
    mean of F^2 over the channels says where, its mean over the places says which channel. The mean over stages and
    kinds of map. No scale of the maps matters.

    Args:
        maps: "both", or "spatial" or "channel" alone. Only "spatial" admits unequal numbers of channels.
        stages: Which stages to compare, from 0, the shallowest; None takes all.
    """

    def __init__(self, maps: Maps = "both", stages: Sequence[int] | None = None) -> None:
        super().__init__(stages)
        if maps not in get_args(Maps):
            raise UsageError(
                f"maps of the loss 'attention_similarity' must be one of {', '.join(get_args(Maps))}, not {maps!r}"
            )
        self.maps = maps
        self.equal_sizes = maps != "spatial"

    def compare(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The formula on maps [B, c, h, w]."""
        kinds = []
        if self.maps != "channel":
            kinds.append((spatial_attention(student), spatial_attention(teacher)))
        if self.maps != "spatial":
            kinds.append((_channel_attention(student), _channel_attention(teacher)))
        return torch.stack(
            [(1 - (directions(ours) * directions(theirs)).sum(1)).mean() for ours, theirs in kinds]
        ).mean()


def _channel_attention(maps: Tensor) -> Tensor:
    return maps.square().mean(dim=(2, 3))
