"""What every distillation loss is: the fields it compares, and one formula over checked, exact numbers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Literal, TypeVar

import torch
from torch import Tensor, nn

from facedistill.errors import UsageError
from facedistill.numerics import at_least_float32
from facedistill.outputs import Outputs

Field = Literal["embedding", "logits"]


class DistillationLoss(nn.Module):
    """`loss(student, teacher, labels) -> scalar`, the mean over the batch.

    Computed in float32 (or float64) whatever autocast says. No gradient reaches the teacher.

    Attributes:
        name: The loss's name in the registry.
        needs: The fields of `Outputs` it reads, so that a recipe can be refused before anything is loaded.
    """

    name: ClassVar[str]
    needs: ClassVar[tuple[Field, ...]]

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of a batch.

        Args:
            student: The student's outputs; the gradient goes there.
            teacher: The teacher's outputs for the same faces.
            labels: int64 [B].

        Raises:
            UsageError: A needed field is None or has the wrong shape.
        """
        pairs = [self._pair(field, student, teacher) for field in self.needs]
        for field, (ours, _) in zip(self.needs, pairs, strict=True):
            if labels.shape != ours.shape[:1]:
                raise UsageError(
                    f"loss {self.name!r}: labels must be [B] like {field} {list(ours.shape)}, not {list(labels.shape)}"
                )
        with torch.autocast(labels.device.type, enabled=False):
            tensors = [tensor for pair in pairs for tensor in pair]
            return self.compare(*tensors)

    def compare(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The formula: two [B, N] tensors of the needed field, at least float32 -> scalar."""
        raise NotImplementedError

    if TYPE_CHECKING:

        def __call__(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
            """`forward`, typed."""

    def _pair(self, field: Field, student: Outputs, teacher: Outputs) -> tuple[Tensor, Tensor]:
        ours: Tensor | None = getattr(student, field)
        theirs: Tensor | None = getattr(teacher, field)
        if ours is None or theirs is None:
            who = "student" if ours is None else "teacher"
            raise UsageError(f"loss {self.name!r} needs {field}, but the {who} gives none; add a head or drop the loss")
        if ours.ndim != 2 or ours.shape != theirs.shape or not len(ours):
            raise UsageError(
                f"loss {self.name!r} needs {field} of one shape [B, N] from both, "
                f"not {list(ours.shape)} from the student and {list(theirs.shape)} from the teacher"
            )
        return at_least_float32(ours), at_least_float32(theirs.detach())


LOSSES: dict[str, type[DistillationLoss]] = {}

L = TypeVar("L", bound=DistillationLoss)


def register(name: str) -> Callable[[type[L]], type[L]]:
    """Class decorator: enters a loss in the registry under `name`."""

    def enter(loss: type[L]) -> type[L]:
        loss.name = name
        LOSSES[name] = loss
        return loss

    return enter
