"""Adaptive distillation: class centres that follow the teacher the slower, the better the student follows it."""

import torch
from torch import Tensor, nn

from facedistill.checks import check_number
from facedistill.losses.centres import centre_cross_entropy, class_sums, grown
from facedistill.losses.registered import LOSSES
from facedistill.numerics import unit_rows
from facedistill.outputs import Outputs
from facedistill.processes import all_gather


@LOSSES.register("adadistill")
class AdaDistill(nn.Module):
    """ArcFace against moving centres: W_y <- a W_y + (1 - a) t^, a = clip(cos(s, t) clip(cos(W_y, t))), clip to 0..1.

    AdaDistill (Boutros et al., ECCV 2024). W moves before the loss is taken. Several faces of one person in
    a batch move it to the mean of where each would; the first face of a person puts it on t^, and classes not seen yet
    take no part. A cross-entropy, so not zero where student and teacher agree.

    Args:
        scale: What cosines are multiplied by, above 0; the paper's 64.
        margin: In radians, above 0; the paper's 0.45.
    """

    needs = ("embedding",)
    needs_one_label = True
    centres: Tensor

    def __init__(self, scale: float = 64.0, margin: float = 0.45) -> None:
        super().__init__()
        self.scale = check_number("scale of the loss 'adadistill'", scale, above=0)
        self.margin = check_number("margin of the loss 'adadistill'", margin, above=0)
        self.register_buffer("centres", torch.zeros(0, 0))

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar; reads embeddings [B, D] and labels int64 [B]."""
        s, t = unit_rows(student.embedding), unit_rows(teacher.embedding)
        with torch.no_grad():
            centres = self._moved(all_gather(s), all_gather(t), all_gather(labels))
        if self.training:
            self.centres = centres
        return centre_cross_entropy(student.embedding, centres, labels, self.margin, self.scale)

    def _moved(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        centres = grown("adadistill", self.centres, labels, teacher)
        own = centres[labels]
        trust = (unit_rows(own) * teacher).sum(dim=1, keepdim=True).clamp(0, 1)  # 0 where the centre is not known
        pace = ((student * teacher).sum(dim=1, keepdim=True) * trust).clamp(0, 1)
        sums = class_sums(pace * own + (1 - pace) * teacher, labels, len(centres))
        faces = torch.bincount(labels, minlength=len(centres)).unsqueeze(1)
        moving = faces > 0
        if not self.training:
            moving = moving & ~centres.any(dim=1, keepdim=True)
        return torch.where(moving, sums / faces.clamp_min(1), centres)
