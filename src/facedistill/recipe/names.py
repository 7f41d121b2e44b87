"""Names in a recipe that no recipe has: each is refused with its place and the nearest name that there is."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from facedistill.errors import UsageError


def check_names(value: Any, section: type, place: str = "") -> None:
    """Walks what a recipe file holds along its sections; values that are no section are not looked at.

    Args:
        value: As YAML gives it.
        section: The dataclass that it fills.
        place: Where it stands, for the message; empty for the whole recipe.

    Raises:
        UsageError: A section is no mapping, has a name that it does not know, or lacks one that it needs.
    """
    if not isinstance(value, Mapping):
        known = ", ".join(_kinds(section))
        raise UsageError(f"{place} is {value!r:.40}, where names and values stand ({known}); write {{name: value}}")
    kinds = _kinds(section)
    for key, inner in value.items():
        if not isinstance(key, str):
            continue  # YAML's truth values and numbers, which are refused with another hint
        if key not in kinds:
            _refuse(key, kinds, place)
        _check_inner(inner, kinds[key], _joined(place, key))
    needed = [each.name for each in fields(section) if each.default is MISSING and each.default_factory is MISSING]
    if missing := [name for name in needed if name not in value]:
        raise UsageError(f"{place} has no {missing[0]!r}; give it one")


def check_option(path: Sequence[str], section: type, also: Sequence[str] = ()) -> None:
    """Refuses an option of the command line that names no field.

    Args:
        path: Its parts, e.g. ["losses", "hard", "weight"].
        section: The dataclass that they lead into.
        also: What else the first part may be.

    Raises:
        UsageError: A part is unknown.
    """
    kind: Any = section
    for number, name in enumerate(path):
        if is_dataclass(kind):
            kinds = _kinds(kind)  # type: ignore[arg-type]
            if number == 0 and name in also:
                return
            if name not in kinds:
                _refuse(name, kinds, ".".join(path[:number]))
            kind = _section(kinds[name])
        elif get_origin(kind) is dict:
            kind = _section(get_args(kind)[1])
        else:
            return


def _check_inner(value: Any, kind: Any, place: str) -> None:
    kind = _section(kind)
    if value is None:
        return
    if is_dataclass(kind):
        check_names(value, kind, place)  # type: ignore[arg-type]
    elif get_origin(kind) is list and isinstance(value, list):
        for number, inner in enumerate(value):
            _check_inner(inner, get_args(kind)[0], f"{place}.{number}")
    elif get_origin(kind) is dict and isinstance(value, Mapping):
        for key, inner in value.items():
            _check_inner(inner, get_args(kind)[1], f"{place}.{key}")


def _refuse(name: str, known: Mapping[str, Any], place: str) -> None:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(known)}"
    raise UsageError(f"{place or 'a recipe'} has no {name!r}; {hint}")


def _section(kind: Any) -> Any:
    """The section in `Section | None`; any other type as it is."""
    if get_origin(kind) in (list, dict):
        return kind
    return next((each for each in get_args(kind) if is_dataclass(each)), kind)


@cache
def _kinds(section: type) -> dict[str, Any]:
    hints = get_type_hints(section)
    return {each.name: hints[each.name] for each in fields(section)}


def _joined(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key
