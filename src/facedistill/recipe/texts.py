"""Texts of a recipe: a name that a folder can have, and UTF-8, in which a recipe is recorded."""

from collections.abc import Iterator, Mapping
from typing import Any

from facedistill.errors import UsageError
from facedistill.printable import is_utf8, printable


def check_texts(name: str, values: Mapping[str, Any]) -> None:
    """Refuses a name that leads to another folder, and texts that cannot be recorded.

    Args:
        name: The run's name.
        values: The recipe in plain values.

    Raises:
        UsageError: Names the field.
    """
    if name in ("", ".", "..") or set("/\\") & set(name) or printable(name) != name:
        raise UsageError(f"recipe: name is {name!r}; it names a folder, so give it without slashes")
    if lost := next((f"{place} is {text}" for place, text in _texts(values) if not is_utf8(text)), None):
        raise UsageError(f"recipe: {lost}, which is not UTF-8, as a recipe must be; rename it, or give a link to it")


def _texts(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """The texts in plain values, with their places."""
    if isinstance(value, str):
        yield place, value
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield from _texts(each, f"{place}.{name}" if place else str(name))
