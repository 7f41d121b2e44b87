"""Squared distance between the normalised embeddings."""

from torch import Tensor, nn

from facedistill.losses.registered import LOSSES
from facedistill.numerics import unit_rows
from facedistill.outputs import Outputs


@LOSSES.register("l2")
class L2(nn.Module):
    """mean_i ||s^_i - t^_i||^2 (the pairwise baseline of Wang et al., ICCVW 2019); 0..4, twice the cosine loss."""

    needs = ("embedding",)

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar; reads embeddings [B, D]."""
        return self.per_face(student, teacher, labels).mean()

    def per_face(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of each face, [B]."""
        del labels
        return (unit_rows(student.embedding) - unit_rows(teacher.embedding)).square().sum(dim=1)
