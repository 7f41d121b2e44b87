"""Angle between the embeddings."""

from torch import Tensor

from facedistill.losses.base import RowLoss, register
from facedistill.numerics import unit_rows


@register("cosine")
class Cosine(RowLoss):
    """mean_i (1 - cos(s_i, t_i)), 0..2 (ShrinkTeaNet, 2019). Wants a large weight: 16 to 128."""

    needs = ("embedding",)

    def compare(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The formula on embeddings [B, D]."""
        return (1 - (unit_rows(student) * unit_rows(teacher)).sum(dim=1)).mean()
