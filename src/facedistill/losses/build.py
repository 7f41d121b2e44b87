"""Building a distillation loss by name."""

from typing import Any

from facedistill.losses.base import LOSSES, DistillationLoss
from facedistill.registry import check_options, look_up


def build_loss(name: str, **options: Any) -> DistillationLoss:
    """A distillation loss.

    Args:
        name: A name in `LOSSES`.
        **options: The loss's own; see its class.

    Raises:
        UsageError: The name or an option is unknown, or a value is out of range.
    """
    loss = look_up("loss", LOSSES, name)
    check_options("loss", name, loss, options)
    return loss(**options)
