"""Multi-kernel maximum mean discrepancy: the student's answers are distributed like the teacher's."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import softmax

from facedistill.errors import UsageError
from facedistill.losses.base import RowLoss, check_on, register
from facedistill.numerics import squared_distances, unit_rows
from facedistill.registry import check_number


@register("mk_mmd")
class MkMmd(RowLoss):
    """mean k(a, a) + mean k(b, b) - 2 mean k(a, b), each over all B^2 pairs (Gretton et al. 2012).

    a, b: the unit embeddings s^, t^, or the soft labels softmax(z_s / T), softmax(z_t / T).
    k(a, b) = sum_u exp(-||a - b||^2 / (u m)), where m is the mean squared distance over all (2B)^2
    pairs of the joint sample; no gradient goes through m. Used for face distillation by Wang et al.
    (ICCVW 2019), who found it slightly worse on soft labels. It matches distributions, not pairs: keep
    a pairwise loss beside it.

    Args:
        multipliers: The u, each above 0; the five of DAN (Long et al. 2015).
        on: "embedding" or "logits".
        temperature: T, above 0; for logits only. 2 as in `soft`.
    """

    uses_whole_batch = True

    def __init__(
        self,
        multipliers: Sequence[float] = (0.25, 0.5, 1.0, 2.0, 4.0),
        on: Literal["embedding", "logits"] = "embedding",
        temperature: float = 2.0,
    ) -> None:
        super().__init__()
        if not isinstance(multipliers, Sequence) or isinstance(multipliers, str) or not multipliers:
            raise UsageError(f"multipliers of the loss 'mk_mmd' must be a list of numbers, not {multipliers!r}")
        self.multipliers = tuple(check_number("each of mk_mmd's multipliers", u, above=0) for u in multipliers)
        self.needs = (check_on(self.name, on, ("embedding", "logits")),)
        self.temperature = check_number("temperature of the loss 'mk_mmd'", temperature, above=0)

    def compare(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The formula on embeddings [B, D] or logits [B, C]."""
        batch = len(student)
        squared = squared_distances(torch.cat((self._rows(student), self._rows(teacher))))
        # Rows closer than the number format resolves count as equal; the floor keeps 1 / m finite.
        mean = squared.detach().mean().clamp_min(torch.finfo(squared.dtype).eps ** 2)
        kernel = torch.stack([torch.exp(-squared / (u * mean)) for u in self.multipliers]).sum(dim=0)
        within_student, within_teacher = kernel[:batch, :batch], kernel[batch:, batch:]
        return within_student.mean() + within_teacher.mean() - 2 * kernel[:batch, batch:].mean()

    def _rows(self, said: Tensor) -> Tensor:
        return unit_rows(said) if self.needs == ("embedding",) else softmax(said / self.temperature, dim=1)
