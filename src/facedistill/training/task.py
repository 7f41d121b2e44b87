"""A task turns a batch into named losses; the teacher's word comes from outside and has no weights here."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from facedistill.backbones import Backbone, normalise_crops
from facedistill.heads import Head, ShardedHead
from facedistill.losses import CheckedLoss
from facedistill.outputs import Outputs
from facedistill.recipe import HARD


class Task(nn.Module):
    """The student, its head and its losses; a module, so that any distributed wrapper may hold it.

    Args:
        backbone: The net to train.
        head: Gives the hard loss.
        losses: Name -> distillation loss; empty when labels alone teach.
        weights: Name -> weight, for `hard` and each of `losses`.
    """

    def __init__(
        self,
        backbone: Backbone,
        head: Head | ShardedHead,
        losses: Mapping[str, CheckedLoss],
        weights: Mapping[str, float],
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self._losses = dict(losses)
        # The modules themselves, so that the keys of a state dict do not depend on what is done around them.
        self.losses = nn.ModuleDict({name.replace(".", "/"): loss.module for name, loss in losses.items()})
        self.weights = dict(weights)
        self._needs = {field for loss in losses.values() for field in loss.needs}

    @property
    def shapes_parameters(self) -> bool:
        """Whether the first batch shapes parameters of a loss."""
        return any(loss.trainable for loss in self._losses.values())

    def forward(
        self,
        crops: Tensor,
        labels: Tensor,
        teacher_embedding: Tensor | None,
        teacher_logits: Tensor | None,
        teacher_features: tuple[Tensor, ...] = (),
    ) -> dict[str, Tensor]:
        """Named losses of a batch, each already weighted; their sum is what is minimised.

        The teacher's word comes as bare tensors, which is what engines move and cast.

        Args:
            crops: uint8 [B, H, W, 3].
            labels: int64 [B].
            teacher_embedding: The teacher's for the same faces, [B, D]; None when labels alone teach.
            teacher_logits: Likewise, [B, C].
            teacher_features: Likewise, each [B, c, h, w]; empty where the teacher gives none.

        Returns:
            Name -> scalar, `hard` first.
        """
        pixels = normalise_crops(crops).to(next(self.backbone.parameters()).dtype)
        seen = self.backbone(pixels.contiguous(memory_format=torch.channels_last))
        terms: dict[str, Tensor] = {}
        if HARD in self.weights:
            terms[HARD] = self.head.loss(seen.embedding, labels)
        if teacher_embedding is not None:
            teacher = Outputs(teacher_embedding, teacher_logits, teacher_features)
            logits = self.head.scores(seen.embedding) if "logits" in self._needs else None
            student = Outputs(seen.embedding, logits, seen.features)
            for name, loss in self._losses.items():
                terms[name] = loss(student, teacher, labels)
        return {name: self.weights[name] * term for name, term in terms.items()}
