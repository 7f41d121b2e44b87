"""Squared distance between the normalised embeddings."""

from torch import Tensor

from facedistill.losses.base import RowLoss, register
from facedistill.numerics import unit_rows


@register("l2")
class L2(RowLoss):
    """mean_i ||s^_i - t^_i||^2 (the pairwise baseline of Wang et al., ICCVW 2019); 0..4, twice the cosine loss."""

    needs = ("embedding",)

    def compare(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The formula on embeddings [B, D]."""
        return (unit_rows(student) - unit_rows(teacher)).square().sum(dim=1).mean()
