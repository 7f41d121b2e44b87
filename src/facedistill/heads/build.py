"""Building a head by name."""

from typing import Any

from facedistill.heads.base import HEADS, Head


def build_head(name: str, embedding_size: int, classes: int, **options: Any) -> Head:
    """A head with fresh class centres, drawn from torch's global generator.

    Args:
        name: A name in `HEADS`, or `package.module:Class` of a class derived from `Head`.
        embedding_size: Length D of the embedding.
        classes: Number of classes C.
        **options: The head's own; see its class.

    Raises:
        UsageError: The name or an option is unknown, a number is out of range, or another package gives no head.
    """
    head = HEADS.build(name, embedding_size, classes, **options)
    head.name = name
    return head
