"""What several losses share: the compared tensors of student and teacher, and the options that choose them."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from facedistill.checks import check_count
from facedistill.errors import UsageError
from facedistill.losses.checked import Field, field_tensors
from facedistill.outputs import Outputs


def logits_of(outputs: Outputs) -> Tensor:
    """The logits [B, C], which `CheckedLoss` has found present."""
    assert outputs.logits is not None, "the loss needs logits"
    return outputs.logits


def field_pairs(
    student: Outputs, teacher: Outputs, field: Field, stages: Sequence[int] | None = None
) -> list[tuple[Tensor, Tensor]]:
    """The (student, teacher) tensors of a field: one pair, or one for each of the stages (None: of all)."""
    pairs = list(zip(field_tensors(student, field), field_tensors(teacher, field), strict=True))
    return pairs if stages is None else [pairs[stage] for stage in stages]


def mean_over(pairs: Sequence[tuple[Tensor, Tensor]], formula: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The mean of a formula over pairs of (student, teacher) tensors."""
    return torch.stack([formula(ours, theirs) for ours, theirs in pairs]).mean()


def check_on(name: str, on: Any, allowed: Sequence[Field]) -> Field:
    """The option `on` of a loss that can compare several fields.

    Raises:
        UsageError: It is none of those.
    """
    for field in allowed:
        if on == field:
            return field
    raise UsageError(f"on of the loss {name!r} must be one of {', '.join(allowed)}, not {on!r}")


def check_stages(name: str, stages: Sequence[int] | None) -> tuple[int, ...] | None:
    """The option `stages` of a loss on feature maps.

    Raises:
        UsageError: It is no list of different whole numbers from 0.
    """
    if stages is None:
        return None
    if not isinstance(stages, Sequence) or isinstance(stages, str) or not stages or len(set(stages)) < len(stages):
        raise UsageError(f"stages of the loss {name!r} must be a list of different numbers from 0, not {stages!r:.40}")
    return tuple(check_count(f"each of the stages of the loss {name!r}", stage, least=0) for stage in stages)
