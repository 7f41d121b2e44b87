"""Relational distillation: the batch has the teacher's shape, whatever the coordinates."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, smooth_l1_loss

from facedistill.checks import check_number
from facedistill.losses.registered import LOSSES
from facedistill.numerics import off_diagonal, to_unit_scale
from facedistill.outputs import Outputs

_SHORTEST = 1e-6  # embeddings nearer than this have no direction from each other


@LOSSES.register("rkd")
class Rkd(nn.Module):
    """distance * L(psi_s, psi_t) + angle * L(phi_s, phi_t), L the smooth-L1 loss (Park et al. 2019).

    psi: distances of all pairs over their mean; phi: cosines of the angle at j in all triplets i, j, k of three
    different faces. Unchanged by moving, turning or scaling either side's embeddings, whose lengths may differ. A
    batch of one face gives 0, one of two has no angles. Memory grows with B^2 D and B^3.

    Args:
        distance: Weight of the distances, above 0. The paper's ratio is 1 : 2; 25 and 50 as in the CRD comparison.
        angle: Weight of the angles, above 0.
    """

    needs = ("embedding",)
    equal_sizes = False
    uses_whole_batch = True

    def __init__(self, distance: float = 25.0, angle: float = 50.0) -> None:
        super().__init__()
        self.distance = check_number("distance of the loss 'rkd'", distance, above=0)
        self.angle = check_number("angle of the loss 'rkd'", angle, above=0)

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar; reads embeddings [B, D]."""
        del labels
        ours, theirs = _differences(student.embedding), _differences(teacher.embedding)
        batch = len(student.embedding)
        if batch < 2:
            return 0 * student.embedding.sum()
        loss = self.distance * smooth_l1_loss(_relative_lengths(ours), _relative_lengths(theirs))
        if batch > 2:
            loss = loss + self.angle * smooth_l1_loss(_cosines(ours), _cosines(theirs))
        return loss


def _differences(rows: Tensor) -> Tensor:
    """[B, D] -> [B, B, D]: entry j, i is row i seen from row j."""
    rows = to_unit_scale(rows)  # so that the floor below means the same for all embeddings
    return rows[None, :] - rows[:, None]


def _relative_lengths(differences: Tensor) -> Tensor:
    squared = off_diagonal(differences.square().sum(2))
    lengths = squared.clamp_min(_SHORTEST**2).sqrt()
    return lengths / lengths.mean()


def _cosines(differences: Tensor) -> Tensor:
    """[B, B, D] -> the cosines at j between i and k, for all i, j, k different."""
    unit = normalize(differences, dim=2, eps=_SHORTEST)
    cosines = unit @ unit.transpose(1, 2)  # [j, i, k]
    index = torch.arange(len(cosines), device=cosines.device)
    same = index[:, None] == index[None, :]
    return cosines[~(same[:, :, None] | same[:, None, :] | same[None, :, :])]
