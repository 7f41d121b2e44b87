"""Attention similarity: the student's attention points in the teacher's direction, over places and over channels."""

from collections.abc import Sequence
from typing import Literal, get_args

from torch import Tensor, nn

from facedistill.errors import UsageError
from facedistill.losses.attention import spatial_attention
from facedistill.losses.fields import check_stages, field_pairs, mean_over
from facedistill.losses.registered import LOSSES
from facedistill.numerics import directions
from facedistill.outputs import Outputs

Maps = Literal["both", "spatial", "channel"]


@LOSSES.register("attention_similarity")
class AttentionSimilarity(nn.Module):
    """mean_i (1 - cos(A_s, A_t)) over spatial and channel attention, 0..1 (A-SKD, Shin et al., ECCV 2022).

    The paper's maps A are those of CBAM blocks. These nets have none, so the activations themselves are used: the
    mean of F^2 over the channels is the spatial map, its mean over the places the channel map. The mean over stages and
    kinds of map. No scale of the maps matters.

    Args:
        maps: "both", or "spatial" or "channel" alone. Only "spatial" admits unequal numbers of channels.
        stages: Which stages to compare, from 0, the shallowest; None takes all.
    """

    needs = ("features",)

    def __init__(self, maps: Maps = "both", stages: Sequence[int] | None = None) -> None:
        super().__init__()
        self.stages = check_stages("attention_similarity", stages)
        if maps not in get_args(Maps):
            raise UsageError(
                f"maps of the loss 'attention_similarity' must be one of {', '.join(get_args(Maps))}, not {maps!r}"
            )
        self.maps = maps
        self.equal_sizes = maps != "spatial"

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar; reads maps [B, c, h, w] of each stage."""
        del labels
        return mean_over(field_pairs(student, teacher, "features", self.stages), self._distance)

    def _distance(self, student: Tensor, teacher: Tensor) -> Tensor:
        kinds = []
        if self.maps != "channel":
            kinds.append((spatial_attention(student), spatial_attention(teacher)))
        if self.maps != "spatial":
            kinds.append((_channel_attention(student), _channel_attention(teacher)))
        return mean_over(kinds, lambda ours, theirs: (1 - (directions(ours) * directions(theirs)).sum(1)).mean())


def _channel_attention(maps: Tensor) -> Tensor:
    return maps.square().mean(dim=(2, 3))
