"""Multi-kernel maximum mean discrepancy: the student's outputs are distributed like the teacher's."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import softmax

from facedistill.checks import check_number
from facedistill.errors import UsageError
from facedistill.losses.fields import check_on, logits_of
from facedistill.losses.registered import LOSSES
from facedistill.numerics import squared_distances, unit_rows
from facedistill.outputs import Outputs


@LOSSES.register("mk_mmd")
class MkMmd(nn.Module):
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
        self.needs = (check_on("mk_mmd", on, ("embedding", "logits")),)
        self.temperature = check_number("temperature of the loss 'mk_mmd'", temperature, above=0)

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar; reads embeddings [B, D] or logits [B, C]."""
        del labels
        ours = self._rows(student)
        batch = len(ours)
        squared = squared_distances(torch.cat((ours, self._rows(teacher))))
        # Rows closer than the number format resolves count as equal; the floor keeps 1 / m finite.
        mean = squared.detach().mean().clamp_min(torch.finfo(squared.dtype).eps ** 2)
        kernel = torch.stack([torch.exp(-squared / (u * mean)) for u in self.multipliers]).sum(dim=0)
        within_student, within_teacher = kernel[:batch, :batch], kernel[batch:, batch:]
        return within_student.mean() + within_teacher.mean() - 2 * kernel[:batch, batch:].mean()

    def _rows(self, outputs: Outputs) -> Tensor:
        if self.needs == ("embedding",):
            return unit_rows(outputs.embedding)
        return softmax(logits_of(outputs) / self.temperature, dim=1)
