"""Attention transfer: the student looks where the teacher looks."""

from torch import Tensor

from facedistill.losses.base import MapLoss, register
from facedistill.numerics import directions


@register("attention")
class Attention(MapLoss):
    """mean_i ||Q(F_s) - Q(F_t)||^2, Q the unit-length flattened mean of F^2 over the channels; 0..2.

    Zagoruyko & Komodakis 2017, squared as in their code. The mean over the stages. The numbers of
    channels may differ; no scale of the maps matters.
    """

    equal_sizes = False

    def compare(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The formula on maps [B, c, h, w]."""
        return (directions(spatial_attention(student)) - directions(spatial_attention(teacher))).square().sum(1).mean()


def spatial_attention(maps: Tensor) -> Tensor:
    """Where the net looks: the mean of F^2 over the channels, [B, c, h, w] -> [B, h * w]."""
    return maps.square().mean(dim=1).flatten(1)
