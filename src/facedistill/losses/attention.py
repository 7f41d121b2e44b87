"""Attention transfer: the student looks where the teacher looks."""

from collections.abc import Sequence

from torch import Tensor, nn

from facedistill.losses.fields import check_stages, field_pairs, mean_over
from facedistill.losses.registered import LOSSES
from facedistill.numerics import directions
from facedistill.outputs import Outputs


@LOSSES.register("attention")
class Attention(nn.Module):
    """mean_i ||Q(F_s) - Q(F_t)||^2, Q the unit-length flattened mean of F^2 over the channels; 0..2.

    Zagoruyko & Komodakis 2017, squared as in their code. The mean over the stages. The numbers of
    channels may differ; no scale of the maps matters.

    Args:
        stages: Which stages to compare, from 0, the shallowest; None takes all.
    """

    needs = ("features",)
    equal_sizes = False

    def __init__(self, stages: Sequence[int] | None = None) -> None:
        super().__init__()
        self.stages = check_stages("attention", stages)

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar; reads maps [B, c, h, w] of each stage."""
        del labels
        return mean_over(field_pairs(student, teacher, "features", self.stages), _difference)


def _difference(student: Tensor, teacher: Tensor) -> Tensor:
    return (directions(spatial_attention(student)) - directions(spatial_attention(teacher))).square().sum(1).mean()


def spatial_attention(maps: Tensor) -> Tensor:
    """Where the net looks: the mean of F^2 over the channels, [B, c, h, w] -> [B, h * w]."""
    return maps.square().mean(dim=1).flatten(1)
