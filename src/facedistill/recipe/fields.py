"""Fields of a recipe that earlier ones lack, and the digest of a recipe as earlier versions computed it."""

from collections.abc import Mapping
from dataclasses import field, fields, is_dataclass
from typing import Any

ADDED = "added"  # the metadata of such a field, with its default


def added(default: Any) -> Any:
    """A dataclass field that earlier recipes did not have: at its default it does not change the digest."""
    return field(default=default, metadata={ADDED: default})


def digested(value: Any) -> Any:
    """A section as plain values without its added fields that stand at their defaults."""
    if is_dataclass(value):
        return {
            each.name: digested(getattr(value, each.name))
            for each in fields(value)
            if not (ADDED in each.metadata and getattr(value, each.name) == each.metadata[ADDED])
        }
    if isinstance(value, Mapping):
        return {key: digested(item) for key, item in value.items()}
    return [digested(item) for item in value] if isinstance(value, list | tuple) else value
