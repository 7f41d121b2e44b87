"""Similarity preservation: faces that are alike to the teacher are alike to the student."""

from typing import Literal

from torch import Tensor

from facedistill.losses.base import RowLoss, check_on, register
from facedistill.numerics import directions, to_unit_scale


@register("sp")
class Sp(RowLoss):
    """||rownorm(G_s) - rownorm(G_t)||_F^2 / B^2, G = F F^T, [B, B] (Tung & Mori 2019); 0..4/B.

    Rows of G have unit length. Unchanged by turning or scaling either side's embeddings, whose lengths may differ.
    A batch of one face gives 0: G is then one positive number.

    Args:
        on: "embedding", or "features" (flattened maps, as in the paper; then the mean over the stages).
    """

    equal_sizes = False
    uses_whole_batch = True

    def __init__(self, on: Literal["embedding", "features"] = "embedding") -> None:
        super().__init__()
        self.needs = (check_on(self.name, on, ("embedding", "features")),)

    def compare(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The formula on embeddings [B, D] or flattened maps."""
        ours, theirs = (directions(rows @ rows.T) for rows in (to_unit_scale(student), to_unit_scale(teacher)))
        return (ours - theirs).square().sum() / len(student) ** 2
