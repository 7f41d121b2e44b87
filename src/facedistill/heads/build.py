"""Building a head by name."""

from typing import Any

from facedistill.errors import UsageError
from facedistill.heads.base import HEADS, Head


def build_head(name: str, embedding_size: int, classes: int, **options: Any) -> Head:
    """A head with fresh class centres, drawn from torch's global generator.

    Args:
        name: A name in `HEADS`, or `package.module:Class` of a class derived from `Head`.
        embedding_size: Length D of the embedding.
        classes: Number of classes C.
        **options: The head's own; see its class.

    Raises:
        UsageError: The name or an option is unknown, a number is out of range, or another package gives no head, or one
            whose `options` no checkpoint can hold.
    """
    head = HEADS.build(name, embedding_size, classes, **options)
    head.name = name
    if not isinstance(head.options, dict) or not is_plain(head.options):
        raise UsageError(
            f"the head {name!r} has options that are no plain values ({head.options!r:.80}), which no checkpoint "
            "can hold; hand numbers, text, truth values, lists and mappings on to super().__init__"
        )
    return head


def is_plain(value: object) -> bool:
    """Whether a checkpoint can hold a value: None, a truth value, number or text, or lists and mappings of such."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(inner) for key, inner in value.items())
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return value is None or type(value) in (bool, int, float, str)
