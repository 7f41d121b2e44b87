"""What is done around every loss: its inputs are checked, widened and gathered, and its result is checked."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from torch import Tensor, nn

from facedistill.errors import UsageError
from facedistill.foreign import foreign_errors
from facedistill.numerics import at_least_float32
from facedistill.outputs import Outputs
from facedistill.processes import all_gather, all_gather_with_gradient

Field = Literal["embedding", "logits", "features"]
FIELDS: tuple[Field, ...] = get_args(Field)

_SHAPES = {"embedding": "[B, N]", "logits": "[B, N]", "features": "[B, c, h, w]"}


class CheckedLoss(nn.Module):
    """Any loss module as the training uses it: `loss(student, teacher, labels) -> scalar`, the mean over the batch.

    The module is given `Outputs` that hold only the fields in its `needs`, in float32 (or float64) also under
    autocast, the teacher's without gradient. It may have parameters and buffers. Buffers may take their size from the
    first batch or from the state dict that is loaded; parameters likewise, if the module is `trainable`. Buffers
    change in training mode only, and alike on all processes of a distributed run.

    Args:
        module: A module with `needs`, a tuple of field names of `Outputs`, that is called with (student, teacher,
            labels) and returns a scalar. It may also have `equal_sizes`, `trainable` and `uses_whole_batch`.
        name: Names it in messages.

    Attributes:
        module: The loss itself.
        name: Its name.
        needs: The fields of `Outputs` it reads.
        equal_sizes: Whether student and teacher must agree in the length of an embedding, or in a map's channels; True
            by default.
        trainable: Whether it has parameters that the first batch shapes; False by default.
        needs_one_label: Whether its meaning depends on the label of each face, so that a mixture of two faces has no
            place in it; False by default.
        has_face_losses: Whether it has `per_face`, so that each face's share may be weighted.
        uses_whole_batch: Whether a face's share in the loss depends on the other faces of the batch; False by
            default. If so, each process of a distributed run computes the loss of all processes' faces,
            each of which must give as many; else that of its own, and the loss is the mean.

    Raises:
        UsageError: It is no module, or its `needs` are no names of fields.
    """

    def __init__(self, module: nn.Module, name: str) -> None:
        super().__init__()
        if not isinstance(module, nn.Module):
            raise UsageError(f"the loss {name!r} is of type {type(module).__name__}; derive it from torch.nn.Module")
        self.module = module
        self.name = name
        with foreign_errors(f"the loss {name!r} cannot be used", name, error_type=UsageError):
            self.needs = _checked_needs(name, getattr(module, "needs", None))
            self.equal_sizes = bool(getattr(module, "equal_sizes", True))
            self.trainable = bool(getattr(module, "trainable", False))
            self.needs_one_label = bool(getattr(module, "needs_one_label", False))
            self.has_face_losses = callable(getattr(module, "per_face", None))
            self.uses_whole_batch = bool(getattr(module, "uses_whole_batch", False))
        for part in module.modules():
            part.register_load_state_dict_pre_hook(_resize_buffers)  # type: ignore[no-untyped-call]

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor, face_weights: Tensor | None = None) -> Tensor:
        """The loss of a batch.

        Args:
            student: The student's outputs; the gradient goes there.
            teacher: The teacher's outputs for the same faces.
            labels: int64 [B], at least 0.
            face_weights: float32 [B], what each face's loss is multiplied by before the mean is taken; the module then
                needs `per_face(student, teacher, labels) -> [B]`.

        Raises:
            UsageError: A needed field is missing or has the wrong shape, a field is read that is not needed,
                or the result is no real scalar that depends on the student's outputs.
            FacedistillError: A loss of another package raises an error.
        """
        for field in self.needs:
            self._check_field(field, student, teacher)
        self._check_labels(labels, student)
        with torch.autocast(labels.device.type, enabled=False):
            ours, theirs = self._inputs(student, gradient=True), self._inputs(teacher, gradient=False)
            all_labels = all_gather(labels) if self.uses_whole_batch else labels
            with foreign_errors(f"loss {self.name!r} fails", self.name):
                if face_weights is None:
                    loss = self.module(ours, theirs, all_labels)
                else:
                    weights = all_gather(face_weights) if self.uses_whole_batch else face_weights
                    each = self.module.per_face(ours, theirs, all_labels)  # type: ignore[operator]
                    if not isinstance(each, Tensor) or each.shape != weights.shape:
                        found = list(each.shape) if isinstance(each, Tensor) else type(each).__name__
                        raise UsageError(f"loss {self.name!r}: per_face gives {found}, not {list(weights.shape)}")
                    loss = (weights * each).mean()
        if not isinstance(loss, Tensor) or loss.shape != ():
            found = f"a tensor {list(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
            raise UsageError(f"loss {self.name!r} gives {found}, not a scalar tensor; take the mean over the batch")
        if not loss.is_floating_point():
            raise UsageError(f"loss {self.name!r} gives a number of type {loss.dtype}; compute a real one")
        if not loss.requires_grad and any(
            tensor.requires_grad for field in self.needs for tensor in field_tensors(ours, field)
        ):
            raise UsageError(
                f"loss {self.name!r} has no gradient, so it trains nothing; compute it from the student's outputs, "
                "without detach(), item() or no_grad()"
            )
        return loss

    if TYPE_CHECKING:

        def __call__(
            self, student: Outputs, teacher: Outputs, labels: Tensor, face_weights: Tensor | None = None
        ) -> Tensor:
            """`forward`, typed."""

    def _inputs(self, outputs: Outputs, gradient: bool) -> Outputs:
        """The needed fields alone, exact, and of all processes where the loss relates faces to each other."""

        def prepared(tensor: Tensor) -> Tensor:
            exact = at_least_float32(tensor if gradient else tensor.detach())
            if not self.uses_whole_batch:
                return exact
            return all_gather_with_gradient(exact) if gradient else all_gather(exact)

        fields: dict[str, Any] = {}
        for field in self.needs:
            tensors = tuple(prepared(tensor) for tensor in field_tensors(outputs, field))
            fields[field] = tensors if field == "features" else tensors[0]
        if outputs.lengths is not None:  # they belong to the embedding
            fields["lengths"] = prepared(outputs.lengths)
        return _NeededOutputs(self.name, fields)

    def _check_field(self, field: Field, student: Outputs, teacher: Outputs) -> None:
        ours, theirs = field_tensors(student, field), field_tensors(teacher, field)
        if not ours or not theirs:
            who = "student" if not ours else "teacher"
            mend = "add a head or drop the loss" if field == "logits" else "drop the loss"
            raise UsageError(f"loss {self.name!r} needs {field}, but the {who} gives none; {mend}")
        if len(ours) != len(theirs):
            raise UsageError(
                f"loss {self.name!r} needs features of as many stages from both, not {len(ours)} from the student "
                f"and {len(theirs)} from the teacher"
            )
        for one, other in self._compared(field, list(zip(ours, theirs, strict=True))):
            self._check_shapes(field, one, other)

    def _compared(self, field: Field, pairs: list[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
        """The pairs that are compared: those of the module's `stages`, where it has that attribute."""
        stages = getattr(self.module, "stages", None) if field == "features" else None
        if stages is None:
            return pairs
        if missing := [stage for stage in stages if stage >= len(pairs)]:
            raise UsageError(
                f"loss {self.name!r}: there is no stage {missing[0]}; the nets have the stages 0..{len(pairs) - 1}"
            )
        return [pairs[stage] for stage in stages]

    def _check_shapes(self, field: Field, ours: Tensor, theirs: Tensor) -> None:
        dimensions = 4 if field == "features" else 2
        agree = list(range(dimensions))
        if not self.equal_sizes:
            agree.remove(1)  # the embedding's length, the map's channels
        good = ours.ndim == theirs.ndim == dimensions and all(ours.shape[i] == theirs.shape[i] for i in agree)
        if not good or not ours.numel() or not theirs.numel():
            same = "" if self.equal_sizes else " (N and c may differ)"
            raise UsageError(
                f"loss {self.name!r} needs {field} of one shape {_SHAPES[field]}{same} from both, "
                f"not {list(ours.shape)} from the student and {list(theirs.shape)} from the teacher"
            )

    def _check_labels(self, labels: Tensor, student: Outputs) -> None:
        for field in self.needs:
            batch = len(field_tensors(student, field)[0])
            if labels.shape != (batch,):
                raise UsageError(
                    f"loss {self.name!r}: labels must be [B] = [{batch}] like {field}, not {list(labels.shape)}"
                )
        if labels.dtype != torch.int64 or labels.min() < 0:
            raise UsageError(f"loss {self.name!r}: labels must be int64 of at least 0")


class _NeededOutputs(Outputs):
    """The fields that a loss needs; reading another one is an error, for its value would mean nothing.

    Args:
        loss: The loss's name, for the message.
        fields: Field -> its value.
    """

    def __init__(self, loss: str, fields: Mapping[str, Any]) -> None:
        vars(self).update(fields, loss=loss)

    def __getattribute__(self, name: str) -> Any:
        if name in FIELDS and name not in vars(self):
            raise UsageError(
                f"loss {vars(self)['loss']!r} reads {name}, which its `needs` does not name; add {name!r} to `needs`"
            )
        return super().__getattribute__(name)


def field_tensors(outputs: Outputs, field: Field) -> tuple[Tensor, ...]:
    """The field's tensors: one, one for each stage, or none where the field is empty."""
    if field == "features":
        return outputs.features
    tensor = outputs.embedding if field == "embedding" else outputs.logits
    return () if tensor is None else (tensor,)


def _checked_needs(name: str, needs: Any) -> tuple[Field, ...]:
    if (
        not isinstance(needs, tuple)
        or not needs
        or any(needs.count(field) != 1 or field not in FIELDS for field in needs)
    ):
        raise UsageError(
            f"the loss {name!r} must have an attribute `needs`, a tuple of fields out of {', '.join(FIELDS)}, "
            f"not {needs!r}"
        )
    return needs


def _resize_buffers(module: nn.Module, state_dict: dict[str, Any], prefix: str, *_rest: Any) -> None:
    """Gives the buffers the saved sizes before torch loads them: those of a fresh loss are those of no batch."""
    for name, buffer in module.named_buffers(recurse=False):
        saved = state_dict.get(prefix + name)
        if isinstance(saved, Tensor) and saved.shape != buffer.shape:
            setattr(module, name, buffer.new_empty(saved.shape))
