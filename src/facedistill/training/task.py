"""A task turns a batch into named losses."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from facedistill.backbones import Backbone, normalise_crops
from facedistill.foreign import SEPARATOR
from facedistill.heads import Head, ShardedHead
from facedistill.losses import CheckedLoss
from facedistill.outputs import Outputs
from facedistill.recipe import HARD, LossTerm
from facedistill.recipe.loss_term import SHARP, SMALL
from facedistill.training.data import Batch
from facedistill.training.targets import TeacherTargets


class Task(nn.Module):
    """The student, its head and its losses; a module, so that any distributed wrapper may hold it.

    Args:
        backbone: The net to train.
        head: Gives the hard loss.
        losses: Name -> distillation loss; empty when labels alone train the net.
        terms: Name -> weight and schedule, for `hard` and each of `losses`.

    Attributes:
        images: Images that the run has shown before this batch, by which the weights go.
        targets: The teacher targets that `losses` compare with, set before the first batch; None without losses. They
            are the fixed part of the loss: no state dict holds them, and no distributed wrapper sees them.
    """

    def __init__(
        self,
        backbone: Backbone,
        head: Head | ShardedHead,
        losses: Mapping[str, CheckedLoss],
        terms: Mapping[str, LossTerm],
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self._losses = dict(losses)
        # The modules themselves, so that the keys of a state dict do not depend on what is done around them.
        self.losses = nn.ModuleDict({name.replace(".", "/"): loss.module for name, loss in losses.items()})
        self.terms = dict(terms)
        self.images = 0
        self.targets: TeacherTargets | None = None
        self._needs = {field for loss in losses.values() for field in loss.needs}

    @property
    def shapes_parameters(self) -> bool:
        """Whether the first batch shapes parameters of a loss."""
        return any(loss.trainable for loss in self._losses.values())

    @property
    def foreign_parts(self) -> tuple[str, ...]:
        """The names of the backbone, the head and the losses that are of another package."""
        spec = self.backbone.spec
        names = str(spec.get("module", spec["name"])), self.head.name, *self.terms
        return tuple(name for name in names if SEPARATOR in name)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Named losses of a batch, each already weighted; their sum is what is minimised.

        Returns:
            Name -> scalar, `hard` first.
        """
        pixels = normalise_crops(batch.crops).to(next(self.backbone.parameters()).dtype)
        output = self.backbone(pixels.contiguous(memory_format=torch.channels_last))
        terms: dict[str, Tensor] = {}
        if HARD in self.terms:
            terms[HARD] = self._hard_loss(output.embedding, batch)
        if self._losses:
            assert self.targets is not None, "a task with distillation losses has teacher targets"
            with torch.no_grad():
                teacher = _rounded(self.targets.for_batch(batch))
            logits = self.head.scores(output.embedding) if "logits" in self._needs else None
            student = Outputs(output.embedding, logits, output.features)
            for name, loss in self._losses.items():
                terms[name] = loss(student, teacher, batch.labels, self._face_weights(name, batch))
        weights = {name: term.weight * term.factor(self.images) for name, term in self.terms.items()}
        return {name: weights[name] * term for name, term in terms.items()}

    def _face_weights(self, name: str, batch: Batch) -> Tensor | None:
        """Each face's weight beside that of a sharp one, float32 [B]; None where all weigh alike."""
        term = self.terms[name]
        if term.small is None or batch.rows is None:
            return None
        sharpness = ((batch.rows / SMALL).log() / math.log(SHARP / SMALL)).clamp(0, 1)
        least = term.small / term.weight
        return least + (1 - least) * sharpness

    def _hard_loss(self, embedding: Tensor, batch: Batch) -> Tensor:
        """The head's loss; a mixture of two faces has both labels, by their shares (Zhang et al., ICLR 2018)."""
        mixture = None
        if batch.shares is not None and batch.second_labels is not None:
            mixture = batch.second_labels, batch.shares
        face_weights = self._face_weights(HARD, batch)
        if mixture is None and face_weights is None:
            return self.head.loss(embedding, batch.labels)
        assert isinstance(self.head, Head), "a sharded head was refused"
        return self.head.weighted_loss(embedding, batch.labels, mixture, face_weights)


def _rounded(targets: Outputs) -> Outputs:
    """The targets in autocast's precision, which is that of the student's outputs: float32 ones would be more exact."""
    kind = targets.embedding.device.type
    if not torch.is_autocast_enabled(kind):
        return targets
    dtype = torch.get_autocast_dtype(kind)
    logits = None if targets.logits is None else targets.logits.to(dtype)
    features = tuple(maps.to(dtype) for maps in targets.features)
    return Outputs(targets.embedding.to(dtype), logits, features, targets.lengths)
