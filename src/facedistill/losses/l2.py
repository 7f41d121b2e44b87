"""Squared distance between the embeddings."""

from torch import Tensor, nn

from facedistill.errors import UsageError
from facedistill.losses.registered import LOSSES
from facedistill.numerics import unit_rows
from facedistill.outputs import Outputs


@LOSSES.register("l2")
class L2(nn.Module):
    """mean_i ||s^_i - t^_i||^2 (the pairwise baseline of Wang et al., ICCVW 2019); 0..4, twice the cosine loss.

    With `lengths` it is mean_i ||s_i - l_i t^_i||^2: the student's embedding as it is, and the teacher's of unit length
    less its mean, of which l_i is the length. Nothing is then left free, so the weights of a student that starts from
    its teacher's stay near them where no picture holds them. Both losses are the same for a teacher that is not centred
    and a student of unit length.

    Args:
        lengths: Compare the lengths too.
    """

    needs = ("embedding",)

    def __init__(self, lengths: bool = False) -> None:
        super().__init__()
        if not isinstance(lengths, bool):
            raise UsageError(f"lengths of the loss 'l2' must be true or false, not {lengths!r}")
        self.lengths = lengths

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar; reads embeddings [B, D].

        Raises:
            UsageError: `lengths` with targets that have none: those of several teachers, or of pictures of classes.
        """
        return self.per_face(student, teacher, labels).mean()

    def per_face(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of each face, [B]; see `forward`."""
        del labels
        if not self.lengths:
            return (unit_rows(student.embedding) - unit_rows(teacher.embedding)).square().sum(dim=1)
        if teacher.lengths is None:
            raise UsageError("loss 'l2' compares lengths, which targets of several teachers do not have")
        target = teacher.lengths[:, None] * unit_rows(teacher.embedding)
        return (student.embedding.to(target.dtype) - target).square().sum(dim=1)
