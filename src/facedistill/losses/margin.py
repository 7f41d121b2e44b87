"""Margin distillation: the teacher's class centres, and a margin that is large where the teacher is sure."""

import torch
from torch import Tensor, nn

from facedistill.checks import check_number
from facedistill.errors import UsageError
from facedistill.losses.centres import centre_cross_entropy, class_sums, grown
from facedistill.losses.registered import LOSSES
from facedistill.numerics import unit_rows
from facedistill.outputs import Outputs
from facedistill.processes import all_gather


@LOSSES.register("margin")
class Margin(nn.Module):
    """ArcFace against the teacher's class centres W, margin m_i = (most - least) c_i / max_j c_j + least.

    c_i = cos(t^_i, W_y), below zero taken as 0, its maximum over the batch (MarginDistillation, Svitov & Alyamkin
    2020). The paper takes W from the teacher's head. A teacher that gives only embeddings has none: W_y is the
    sum of its unit embeddings of the class over the faces seen so far, which an epoch makes the class's mean
    direction; classes not seen yet take no part. A cross-entropy, so not zero where student and teacher agree.

    Args:
        scale: What cosines are multiplied by, above 0; 64 as in ArcFace.
        least: The smallest margin in radians, above 0; the paper's 0.2.
        most: The largest, above `least`; the paper's 0.5.
    """

    needs = ("embedding",)
    needs_one_label = True
    sums: Tensor

    def __init__(self, scale: float = 64.0, least: float = 0.2, most: float = 0.5) -> None:
        super().__init__()
        self.scale = check_number("scale of the loss 'margin'", scale, above=0)
        self.least = check_number("least of the loss 'margin'", least, above=0)
        self.most = check_number("most of the loss 'margin'", most, above=0)
        if self.most <= self.least:
            raise UsageError(f"most of the loss 'margin' is {most!r}; it must be above least, {least!r}")
        self.register_buffer("sums", torch.zeros(0, 0))

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar; reads embeddings [B, D] and labels int64 [B]."""
        t = unit_rows(teacher.embedding)
        all_rows, all_labels = all_gather(t), all_gather(labels)
        known = grown("margin", self.sums, all_labels, all_rows)
        sums = known + class_sums(all_rows, all_labels, len(known))
        if self.training:
            self.sums = sums
        else:  # what is known stands still; a class that is not known needs some centre
            sums = torch.where(known.any(dim=1, keepdim=True), known, sums)
        sure = (all_rows * unit_rows(sums[all_labels])).sum(dim=1).clamp_min(0)
        most_sure = sure.amax().clamp_min(torch.finfo(sure.dtype).eps)
        own = (t * unit_rows(sums[labels])).sum(dim=1, keepdim=True).clamp_min(0)
        margin = (self.most - self.least) * own / most_sure + self.least
        return centre_cross_entropy(student.embedding, sums, labels, margin, self.scale)
