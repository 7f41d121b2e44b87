"""Multi-kernel maximum mean discrepancy: the student's embeddings are distributed like the teacher's."""

from collections.abc import Sequence

import torch
from torch import Tensor

from facedistill.errors import UsageError
from facedistill.losses.base import DistillationLoss, register
from facedistill.numerics import unit_rows
from facedistill.registry import check_number


@register("mk_mmd")
class MkMmd(DistillationLoss):
    """mean k(s^, s^) + mean k(t^, t^) - 2 mean k(s^, t^), each over all B^2 pairs (Gretton et al. 2012).

    k(a, b) = sum_u exp(-||a - b||^2 / (u m)), where m is the mean squared distance over all (2B)^2
    pairs of the joint sample; no gradient goes through m. Used for face distillation by Wang et al.
    (ICCVW 2019). It matches distributions, not pairs: keep a pairwise loss beside it.

    Args:
        multipliers: The u, each above 0.
    """

    needs = ("embedding",)

    def __init__(self, multipliers: Sequence[float] = (0.25, 0.5, 1.0, 2.0, 4.0)) -> None:
        super().__init__()
        if not isinstance(multipliers, Sequence) or isinstance(multipliers, str) or not multipliers:
            raise UsageError(f"multipliers of the loss 'mk_mmd' must be a list of numbers, not {multipliers!r}")
        self.multipliers = tuple(check_number("each of mk_mmd's multipliers", u, above=0) for u in multipliers)

    def compare(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The formula on embeddings [B, D]."""
        batch = len(student)
        squared = _squared_distances(torch.cat((unit_rows(student), unit_rows(teacher))))
        # Unit rows closer than the number format resolves count as equal; the floor keeps 1 / m finite.
        mean = squared.detach().mean().clamp_min(torch.finfo(squared.dtype).eps ** 2)
        kernel = torch.stack([torch.exp(-squared / (u * mean)) for u in self.multipliers]).sum(dim=0)
        within_student, within_teacher = kernel[:batch, :batch], kernel[batch:, batch:]
        return within_student.mean() + within_teacher.mean() - 2 * kernel[:batch, batch:].mean()


def _squared_distances(rows: Tensor) -> Tensor:
    """||a - b||^2 for all pairs of rows, [N, D] -> [N, N], by one matrix product.

    The rows are centred first, which changes no distance: |a|^2 + |b|^2 - 2ab cancels badly
    when the rows lie close together but far from the origin.
    """
    centred = rows - rows.detach().mean(dim=0)
    lengths = centred.square().sum(dim=1)
    return (lengths[:, None] + lengths[None, :] - 2 * centred @ centred.T).clamp_min(0)
