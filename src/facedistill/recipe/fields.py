"""Fields of a recipe that earlier ones lack, and the digest of a recipe as earlier versions computed it."""

from collections.abc import Mapping
from dataclasses import field, fields, is_dataclass
from typing import Any

ADDED = "added"  # the metadata of such a field, with its default
FORMERLY = "formerly"  # likewise of a field that had another default


def added(default: Any) -> Any:
    """A dataclass field that earlier recipes did not have: at its default it does not change the digest."""
    return field(default=default, metadata={ADDED: default})


def undecided(formerly: Any) -> Any:
    """A dataclass field whose None leaves it to be found out, and which had a default before: the digest has that."""
    return field(default=None, metadata={FORMERLY: formerly})


def digested(value: Any) -> Any:
    """A section as plain values without its added fields that stand at their defaults."""
    if is_dataclass(value):
        found = {each: getattr(value, each.name) for each in fields(value)}
        return {
            each.name: each.metadata[FORMERLY] if FORMERLY in each.metadata and inner is None else digested(inner)
            for each, inner in found.items()
            if not (ADDED in each.metadata and inner == each.metadata[ADDED])
        }
    if isinstance(value, Mapping):
        return {key: digested(item) for key, item in value.items()}
    return [digested(item) for item in value] if isinstance(value, list | tuple) else value
