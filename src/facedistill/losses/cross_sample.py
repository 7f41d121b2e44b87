"""Cross-sample similarity: a blurred face relates to the others, sharp or blurred, as its sharp original does."""

from torch import Tensor, nn

from facedistill.losses.registered import LOSSES
from facedistill.numerics import unit_rows
from facedistill.outputs import Outputs


@LOSSES.register("cross_sample")
class CrossSample(nn.Module):
    """(d(TT, TS) + d(TT, ST)) / 2 + d(TT, SS), d(A, A') = mean_i (1 - cos(row i of A, row i of A')); 0..4.

    TT = t^ t^T, TS = t^ s^T, ST = s^ t^T, SS = s^ s^T, each [B, B]: the student gets another (blurred) picture of
    the face than the teacher, and relations across the two are to equal those among the teacher's. After F-SKD (Shin
    et al. 2022), whose relations are those between places of two feature maps; here between the faces of a batch,
    each to itself included. Unchanged by scaling any embedding and by turning both sides alike. A batch of one face
    gives no gradient.
    """

    needs = ("embedding",)
    uses_whole_batch = True

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar; reads embeddings [B, D]."""
        del labels
        s, t = unit_rows(student.embedding), unit_rows(teacher.embedding)
        wanted = unit_rows(t @ t.T)

        def distance(relation: Tensor) -> Tensor:
            return (1 - (wanted * unit_rows(relation)).sum(dim=1)).mean()

        return (distance(t @ s.T) + distance(s @ t.T)) / 2 + distance(s @ s.T)
