"""Evaluation-oriented distillation: each pair passes as many of the field's operating points as for the teacher."""

import torch
from torch import Tensor, nn

from facedistill.checks import check_count, check_number, check_share
from facedistill.losses.registered import LOSSES
from facedistill.numerics import unit_rows
from facedistill.outputs import Outputs

_ONE_IN = (10, 100, 1000, 10_000, 100_000, 1_000_000)  # impostor pairs that pass
_SOFTNESS = 0.01  # the paper's temperature of the step from failing to passing


@LOSSES.register("ekd")
class Ekd(nn.Module):
    """genuine MSE(r_s, r_t) over genuine pairs + impostor MSE(r_s, r_t) over the hardest impostor pairs.

    r(x) = sum_k sigmoid((x - th_k) / 0.01): how many of the six thresholds of false positive rates 1e-1..1e-6 a pair
    of cosine x passes. Each net has its own th_k: the quantile over the batch's impostor pairs, averaged over time; the
    first batch sets them (Huang et al., CVPR 2022; in their code they start at 0). Hardest: of greatest similarity
    to the student. Pairs of a kind that the batch lacks count nothing; before any impostor pair was seen the loss is
    0. Unchanged by turning either side's embeddings or scaling any of them; their lengths may differ.

    Args:
        genuine: Weight of the genuine pairs, above 0; the paper's 0.02.
        impostor: Weight of the impostor pairs, above 0; the paper's 0.01.
        hardest: Number of impostor pairs; the paper's 2000.
        momentum: Share of the new batch in the thresholds, above 0 and at most 1; the paper's 0.01.
    """

    needs = ("embedding",)
    needs_one_label = True
    equal_sizes = False
    uses_whole_batch = True
    thresholds: Tensor
    started: Tensor

    def __init__(
        self, genuine: float = 0.02, impostor: float = 0.01, hardest: int = 2000, momentum: float = 0.01
    ) -> None:
        super().__init__()
        self.genuine = check_number("genuine of the loss 'ekd'", genuine, above=0)
        self.impostor = check_number("impostor of the loss 'ekd'", impostor, above=0)
        self.hardest = check_count("hardest of the loss 'ekd'", hardest)
        self.momentum = check_share("momentum of the loss 'ekd'", momentum)
        self.register_buffer("thresholds", torch.zeros(2, len(_ONE_IN)))  # the student's and the teacher's
        self.register_buffer("started", torch.tensor(False))

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar; reads embeddings [B, D] and labels int64 [B]."""
        s, t = unit_rows(student.embedding), unit_rows(teacher.embedding)
        ours, theirs = _pairs(s, labels), _pairs(t, labels)
        now = [_quantiles(impostors.detach()) for _, impostors in (ours, theirs)]
        thresholds = self.thresholds.to(s)
        if now[0] is not None and now[1] is not None:
            fresh = torch.stack((now[0], now[1]))
            if not self.started:
                thresholds = fresh
            elif self.training:
                thresholds = self.momentum * fresh + (1 - self.momentum) * thresholds
            if self.training:
                self.thresholds, self.started = thresholds, torch.ones_like(self.started)
        elif not self.started:
            return 0 * student.embedding.sum()
        hard = ours[1].topk(min(self.hardest, len(ours[1]))).indices
        loss = self.genuine * _distance(ours[0], theirs[0], thresholds)
        return loss + self.impostor * _distance(ours[1][hard], theirs[1][hard], thresholds)


def _pairs(unit: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The cosines of genuine and of impostor pairs, each pair once."""
    first, second = torch.triu_indices(len(unit), len(unit), offset=1, device=unit.device)
    cosine = (unit @ unit.T)[first, second]
    same = labels[first] == labels[second]
    return cosine[same], cosine[~same]


def _quantiles(impostors: Tensor) -> Tensor | None:
    """The thresholds at the rates; None where there is no pair."""
    if not len(impostors):
        return None
    places = torch.tensor([len(impostors) // one_in for one_in in _ONE_IN], device=impostors.device)
    return impostors.sort(descending=True).values[places]


def _distance(ours: Tensor, theirs: Tensor, thresholds: Tensor) -> Tensor:
    if not len(ours):
        return 0 * ours.sum()
    return (_passed(ours, thresholds[0]) - _passed(theirs, thresholds[1])).square().mean()


def _passed(cosine: Tensor, thresholds: Tensor) -> Tensor:
    return ((cosine[:, None] - thresholds) / _SOFTNESS).sigmoid().sum(dim=1)
