"""The registry of losses, and the building of one by name."""

from typing import Any

from torch import nn

from facedistill.losses.checked import CheckedLoss
from facedistill.registry import Registry

LOSSES: Registry[nn.Module] = Registry("loss")


def build_loss(name: str, **options: Any) -> CheckedLoss:
    """A distillation loss.

    Args:
        name: A name in `LOSSES`, or `package.module:Class`.
        **options: The loss's own; see its class.

    Raises:
        UsageError: The name or an option is unknown, a value is out of range, or a class of another package is no loss.
    """
    return CheckedLoss(LOSSES.build(name, **options), name)
