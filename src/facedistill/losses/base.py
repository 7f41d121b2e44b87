"""What every distillation loss is: the field it compares, and one formula over checked, exact numbers."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import torch
from torch import Tensor, nn

from facedistill.errors import UsageError
from facedistill.numerics import at_least_float32
from facedistill.outputs import Outputs
from facedistill.processes import all_gather, all_gather_with_gradient
from facedistill.registry import check_count

Field = Literal["embedding", "logits", "features"]

_KIND = {"embedding": "[B, N]", "logits": "[B, N]", "features": "[B, c, h, w]"}


class DistillationLoss(nn.Module):
    """`loss(student, teacher, labels) -> scalar`, the mean over the batch.

    Computed in float32 (or float64) whatever autocast says. No gradient reaches the teacher.

    A loss may learn (parameters) and remember (buffers). Some of them take their size from the first batch, or from
    the state dict that is loaded; make an optimiser after that. What is remembered changes in training mode only, and
    alike on all processes of a distributed run, each of which must give as many faces as the others.

    Attributes:
        name: The loss's name in the registry.
        needs: The fields of `Outputs` it reads, so that a recipe can be refused before anything is loaded.
        equal_sizes: Whether student and teacher must agree in the length of an embedding, or in a map's channels.
        trainable: Whether it has parameters, which the first batch shapes.
        uses_whole_batch: Whether a face's share in the loss depends on the other faces of the batch. Then each process
            of a distributed run computes the loss of all processes' faces; else that of its own, and the loss is the
            mean.
    """

    name: ClassVar[str]
    needs: tuple[Field, ...]
    equal_sizes: bool = True
    trainable: ClassVar[bool] = False
    uses_whole_batch: ClassVar[bool] = False

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of a batch.

        Args:
            student: The student's outputs; the gradient goes there.
            teacher: The teacher's outputs for the same faces.
            labels: int64 [B].

        Raises:
            UsageError: A needed field is None or has the wrong shape.
        """
        (field,) = self.needs
        pairs = self._pairs(field, student, teacher)
        if labels.shape != pairs[0][0].shape[:1]:
            raise UsageError(
                f"loss {self.name!r}: labels must be [B] like {field} {list(pairs[0][0].shape)}, "
                f"not {list(labels.shape)}"
            )
        with torch.autocast(labels.device.type, enabled=False):
            exact = [(at_least_float32(ours), at_least_float32(theirs.detach())) for ours, theirs in pairs]
            if self.uses_whole_batch:
                exact = [(all_gather_with_gradient(ours), all_gather(theirs)) for ours, theirs in exact]
                labels = all_gather(labels)
            return self.compare_pairs(exact, labels)

    def compare_pairs(self, pairs: Sequence[tuple[Tensor, Tensor]], labels: Tensor) -> Tensor:
        """The loss of checked (student, teacher) tensors, at least float32: one pair, or one for each stage."""
        raise NotImplementedError

    if TYPE_CHECKING:

        def __call__(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
            """`forward`, typed."""

    def _pairs(self, field: Field, student: Outputs, teacher: Outputs) -> list[tuple[Tensor, Tensor]]:
        ours, theirs = _tensors(student, field), _tensors(teacher, field)
        if not ours or not theirs:
            who = "student" if not ours else "teacher"
            mend = "add a head or drop the loss" if field == "logits" else "drop the loss"
            raise UsageError(f"loss {self.name!r} needs {field}, but the {who} gives none; {mend}")
        if len(ours) != len(theirs):
            raise UsageError(
                f"loss {self.name!r} needs features of as many stages from both, not {len(ours)} from the student "
                f"and {len(theirs)} from the teacher"
            )
        pairs = self.choose(list(zip(ours, theirs, strict=True)))
        for pair in pairs:
            self._check_pair(field, *pair)
        return pairs

    def choose(self, pairs: list[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
        """Those of the pairs that are compared."""
        return pairs

    def _check_pair(self, field: Field, ours: Tensor, theirs: Tensor) -> None:
        dimensions = 4 if field == "features" else 2
        agree = list(range(dimensions))
        if not self.equal_sizes:
            agree.remove(1)  # the embedding's length, the map's channels
        good = ours.ndim == theirs.ndim == dimensions and all(ours.shape[i] == theirs.shape[i] for i in agree)
        if not good or not ours.numel() or not theirs.numel():
            same = "" if self.equal_sizes else " (N and c may differ)"
            raise UsageError(
                f"loss {self.name!r} needs {field} of one shape {_KIND[field]}{same} from both, "
                f"not {list(ours.shape)} from the student and {list(theirs.shape)} from the teacher"
            )

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Gives the buffers the saved sizes first: those of a fresh loss are those of no batch."""
        for name, buffer in self.named_buffers(recurse=False):
            saved = state_dict.get(prefix + name)
            if isinstance(saved, Tensor) and saved.shape != buffer.shape:
                setattr(self, name, buffer.new_empty(saved.shape))
        super()._load_from_state_dict(state_dict, prefix, *rest)


class RowLoss(DistillationLoss):
    """A loss on embeddings or logits, or on feature maps taken as one row a face; then the mean over the stages."""

    def compare_pairs(self, pairs: Sequence[tuple[Tensor, Tensor]], labels: Tensor) -> Tensor:
        """The mean of `compare` over the pairs."""
        del labels
        return torch.stack([self.compare(ours.flatten(1), theirs.flatten(1)) for ours, theirs in pairs]).mean()

    def compare(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The formula: two [B, N] tensors of the needed field, at least float32 -> scalar."""
        raise NotImplementedError


class LabelledLoss(DistillationLoss):
    """A loss on embeddings or logits that also reads who the faces show."""

    def compare_pairs(self, pairs: Sequence[tuple[Tensor, Tensor]], labels: Tensor) -> Tensor:
        """`compare` of the only pair.

        Raises:
            UsageError: A label is negative, or no int64.
        """
        if labels.dtype != torch.int64 or labels.min() < 0:
            raise UsageError(f"loss {self.name!r}: labels must be int64 of at least 0")
        ((student, teacher),) = pairs
        return self.compare(student, teacher, labels)

    def compare(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        """The formula: two [B, N] tensors of the needed field, at least float32, and labels [B] -> scalar."""
        raise NotImplementedError


class MapLoss(DistillationLoss):
    """A loss on feature maps: the mean over the stages.

    Args:
        stages: Which stages to compare, from 0, the shallowest; None takes all.
    """

    needs = ("features",)

    def __init__(self, stages: Sequence[int] | None = None) -> None:
        super().__init__()
        self.stages = check_stages(self.name, stages)

    def choose(self, pairs: list[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
        """The pairs of the chosen stages.

        Raises:
            UsageError: A chosen stage does not exist.
        """
        return chosen_stages(self.name, self.stages, pairs)

    def compare_pairs(self, pairs: Sequence[tuple[Tensor, Tensor]], labels: Tensor) -> Tensor:
        """The mean of `compare` over the stages."""
        del labels
        return torch.stack([self.compare(ours, theirs) for ours, theirs in pairs]).mean()

    def compare(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The formula: two maps [B, c, h, w], at least float32 -> scalar."""
        raise NotImplementedError


def check_stages(name: str, stages: Sequence[int] | None) -> tuple[int, ...] | None:
    """The option `stages` of a loss.

    Raises:
        UsageError: It is no list of different whole numbers from 0.
    """
    if stages is None:
        return None
    if not isinstance(stages, Sequence) or isinstance(stages, str) or not stages or len(set(stages)) < len(stages):
        raise UsageError(f"stages of the loss {name!r} must be a list of different numbers from 0, not {stages!r}")
    return tuple(check_count(f"each of the stages of the loss {name!r}", stage, least=0) for stage in stages)


def chosen_stages(
    name: str, stages: Sequence[int] | None, pairs: list[tuple[Tensor, Tensor]]
) -> list[tuple[Tensor, Tensor]]:
    """The pairs of the chosen stages.

    Raises:
        UsageError: A chosen stage does not exist.
    """
    if stages is None:
        return pairs
    if missing := [stage for stage in stages if stage >= len(pairs)]:
        raise UsageError(f"loss {name!r}: there is no stage {missing[0]}; the nets have the stages 0..{len(pairs) - 1}")
    return [pairs[stage] for stage in stages]


def check_on(name: str, on: Any, allowed: Sequence[Field]) -> Field:
    """The option `on` of a loss that can compare several fields.

    Raises:
        UsageError: It is none of those.
    """
    for field in allowed:
        if on == field:
            return field
    raise UsageError(f"on of the loss {name!r} must be one of {', '.join(allowed)}, not {on!r}")


def _tensors(outputs: Outputs, field: Field) -> tuple[Tensor, ...]:
    if field == "features":
        return outputs.features
    tensor = outputs.embedding if field == "embedding" else outputs.logits
    return () if tensor is None else (tensor,)


LOSSES: dict[str, type[DistillationLoss]] = {}

L = TypeVar("L", bound=DistillationLoss)


def register(name: str) -> Callable[[type[L]], type[L]]:
    """Class decorator: enters a loss in the registry under `name`."""

    def enter(loss: type[L]) -> type[L]:
        loss.name = name
        LOSSES[name] = loss
        return loss

    return enter
