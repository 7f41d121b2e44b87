"""Angle between the embeddings."""

from torch import Tensor, nn

from facedistill.losses.registered import LOSSES
from facedistill.numerics import unit_rows
from facedistill.outputs import Outputs


@LOSSES.register("cosine")
class Cosine(nn.Module):
    """mean_i (1 - cos(s_i, t_i)), 0..2 (ShrinkTeaNet, 2019). Wants a large weight: 16 to 128."""

    needs = ("embedding",)

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar; reads embeddings [B, D]."""
        return self.per_face(student, teacher, labels).mean()

    def per_face(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of each face, [B]."""
        del labels
        return 1 - (unit_rows(student.embedding) * unit_rows(teacher.embedding)).sum(dim=1)
