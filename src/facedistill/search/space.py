"""The search space: which fields of a recipe a search may set, and to what."""

from argparse import ArgumentError
from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass, replace
from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from facedistill.errors import UsageError
from facedistill.foreign import SEPARATOR
from facedistill.recipe import Recipe, SearchRange
from facedistill.recipe.files import one_line, recipe_of, recipe_parser
from facedistill.recipe.validate import validate

if TYPE_CHECKING:
    import optuna

Value = str | int | float | bool | None

_SEARCHED = ("student", "head", "losses", "optimiser", "batch_size", "teacher.centred")
_SHARED = ("student.input_size", "student.module")  # the pictures, and code that the recipe's reader has read


def check_space(recipe: Recipe) -> None:
    """Refuses what no trial could use: every field's ends and choices are tried on the recipe, nothing is loaded.

    Raises:
        UsageError: Names the field and what is wrong with it.
    """
    if not recipe.search:
        raise UsageError(
            "recipe: search is empty, so there is nothing to try; add, for instance, "
            "`search: {student.width: {low: 0.125, high: 0.5}}`"
        )
    for path, allowed in recipe.search.items():
        kind = _kind_of(recipe, path)
        _check_range(path, allowed, kind)
        ends = allowed.choices if allowed.choices is not None else [_end(allowed.low, kind), _end(allowed.high, kind)]
        for value in ends:
            try:
                validate(recipe_with(recipe, {path: value}))
            except UsageError as error:
                raise UsageError(f"recipe: search.{path}: {value!r} cannot work ({error})") from error


def draw(trial: "optuna.Trial", recipe: Recipe) -> dict[str, Value]:
    """Field -> the value that a trial is to have."""
    values: dict[str, Value] = {}
    for path, allowed in recipe.search.items():
        if allowed.choices is not None:
            values[path] = trial.suggest_categorical(path, allowed.choices)
            continue
        assert allowed.low is not None, "the range was checked"
        assert allowed.high is not None, "the range was checked"
        if _kind_of(recipe, path) is int:
            values[path] = trial.suggest_int(path, int(allowed.low), int(allowed.high), log=allowed.log)
        else:
            values[path] = trial.suggest_float(path, allowed.low, allowed.high, log=allowed.log)
    return values


def recipe_with(recipe: Recipe, values: Mapping[str, Value]) -> Recipe:
    """The recipe of one trial; a term of the loss whose weight is 0 is left out.

    Raises:
        UsageError: A value is of the wrong type.
    """
    plain = replace(recipe, search={}, control=False).plain()
    for path, value in values.items():
        *parents, last = _fields(path)
        place = plain
        for part in parents:
            place = place[part]
        place[last] = value
    plain["losses"] = {name: term for name, term in plain["losses"].items() if term["weight"] != 0}
    parser = _parser()
    try:
        return recipe_of(parser, parser.parse_object(plain))
    except (ArgumentError, TypeError) as error:
        raise UsageError(one_line(error)) from error


_parser = cache(recipe_parser)  # it takes longer to make than to use


def _fields(path: str) -> list[str]:
    """The fields of a dotted path; the name of a loss of another package, package.module:Class, is one of them."""
    root, _, rest = path.partition(".")
    module, separator, inner = rest.partition(SEPARATOR)
    if root != "losses" or not separator:
        return path.split(".")
    attribute, *fields = inner.split(".")
    return [root, module + separator + attribute, *fields]


def _kind_of(recipe: Recipe, path: str) -> Any:
    """The type of the field at a dotted path: int, float, str, bool, or Any among options."""
    if not any(path == root or path.startswith(f"{root}.") for root in _SEARCHED) or path in _SHARED:
        raise UsageError(
            f"recipe: search.{path}: this field is the same for all trials; searched can be what stands under "
            f"{', '.join(_SEARCHED)}"
        )
    kind: Any = Recipe
    value: Any = recipe
    done: list[str] = []
    for part in _fields(path):
        known: Iterable[str] = ()
        if is_dataclass(kind):
            hints = get_type_hints(kind)
            known, kind = hints, hints.get(part)
            value = getattr(value, part, None)
        elif get_origin(kind) is dict:
            kind = get_args(kind)[1]
            known = [part] if kind is Any else value  # the part itself knows its options
            value = value.get(part)
        if part not in known:
            place = ".".join(done)
            raise UsageError(f"recipe: search.{path}: {place} has no {part!r}; known: {', '.join(known) or 'nothing'}")
        done.append(part)
    if isinstance(kind, UnionType):
        kind = next(one for one in get_args(kind) if one is not type(None))
    if is_dataclass(kind) or get_origin(kind) is not None:
        raise UsageError(f"recipe: search.{path} is no single value; go on to one of its fields")
    return kind


def _check_range(path: str, allowed: SearchRange, kind: Any) -> None:
    where = f"recipe: search.{path}"
    if allowed.choices is not None:
        if allowed.low is not None or allowed.high is not None or allowed.log:
            raise UsageError(f"{where} has choices, so low, high and log are left out")
        if not allowed.choices or any(not isinstance(choice, Value) for choice in allowed.choices):
            raise UsageError(
                f"{where}.choices must be a list of numbers, texts or true and false, not {allowed.choices}"
            )
        if any(choice in allowed.choices[:number] for number, choice in enumerate(allowed.choices)):
            raise UsageError(f"{where}.choices names a value twice: {allowed.choices}")
        return
    if allowed.low is None or allowed.high is None:
        raise UsageError(f"{where} needs choices, or low and high")
    if kind not in (int, float, Any):
        raise UsageError(f"{where} is no number, so low and high mean nothing; give choices")
    if not allowed.low < allowed.high < float("inf"):
        raise UsageError(f"{where}: low is {allowed.low:g} and high {allowed.high:g}; low must be the lesser")
    if allowed.log and allowed.low <= 0:
        raise UsageError(f"{where}: low is {allowed.low:g}, which has no logarithm; raise it, or leave log out")
    if kind is int and (allowed.low != int(allowed.low) or allowed.high != int(allowed.high)):
        raise UsageError(f"{where} counts something, so low and high must be whole numbers")


def _end(value: float | None, kind: Any) -> Value:
    return value if value is None or kind is not int else int(value)
