"""Probabilistic knowledge transfer: each face has the neighbours that the teacher gives it."""

from torch import Tensor, nn

from facedistill.losses.registered import LOSSES
from facedistill.numerics import off_diagonal, unit_rows
from facedistill.outputs import Outputs

_LEAST = 1e-7  # a kernel value that counts as none: opposite embeddings


@LOSSES.register("pkt")
class Pkt(nn.Module):
    """mean_j KL(p_t(.|j) || p_s(.|j)), p(i|j) = K(i, j) / sum_{k != j} K(k, j), K = (cos + 1) / 2.

    Passalis & Tefas 2018. A face is no neighbour of itself, so batches of one or two faces give 0.
    Unchanged by turning either side's embeddings or scaling any of them; their lengths may differ.
    """

    needs = ("embedding",)
    equal_sizes = False
    uses_whole_batch = True

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar; reads embeddings [B, D]."""
        del labels
        ours, theirs = _neighbours(student.embedding), _neighbours(teacher.embedding)
        return (theirs * (theirs.log() - ours.log())).sum(dim=1).mean()


def _neighbours(rows: Tensor) -> Tensor:
    unit = unit_rows(rows)
    kernel = off_diagonal((unit @ unit.T + 1) / 2).clamp_min(_LEAST)
    return kernel / kernel.sum(dim=1, keepdim=True)
