"""Building a head by name."""

from typing import Any

from facedistill.heads.base import HEADS, Head
from facedistill.registry import check_options, look_up


def build_head(name: str, embedding_size: int, classes: int, **options: Any) -> Head:
    """A head with fresh class centres, drawn from torch's global generator.

    Args:
        name: A name in `HEADS`.
        embedding_size: Length D of the embedding.
        classes: Number of classes C.
        **options: The head's own; see its class.

    Raises:
        UsageError: The name or an option is unknown, or a number is out of range.
    """
    head = look_up("head", HEADS, name)
    check_options("head", name, head, options, fixed=2)
    return head(embedding_size, classes, **options)
