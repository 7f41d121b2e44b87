"""Similarity preservation: faces that are alike to the teacher are alike to the student."""

from typing import Literal

from torch import Tensor, nn

from facedistill.losses.fields import check_on, field_pairs, mean_over
from facedistill.losses.registered import LOSSES
from facedistill.numerics import directions, to_unit_scale
from facedistill.outputs import Outputs


@LOSSES.register("sp")
class Sp(nn.Module):
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
        self.needs = (check_on("sp", on, ("embedding", "features")),)

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar; reads embeddings [B, D] or maps [B, c, h, w] of each stage."""
        del labels
        return mean_over(field_pairs(student, teacher, self.needs[0]), _difference)


def _difference(student: Tensor, teacher: Tensor) -> Tensor:
    """The formula on rows, or on maps that are flattened to rows."""
    both = (to_unit_scale(side.flatten(1)) for side in (student, teacher))
    ours, theirs = (directions(rows @ rows.T) for rows in both)
    return (ours - theirs).square().sum() / len(student) ** 2
