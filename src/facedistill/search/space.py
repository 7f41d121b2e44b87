"""Which fields of a recipe a search may set, and to what: the section `search` of the recipe."""

from argparse import ArgumentError
from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass, replace
from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from facedistill.errors import UsageError
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
    for path, said in recipe.search.items():
        kind = _kind_of(recipe, path)
        _check_range(path, said, kind)
        ends = said.choices if said.choices is not None else [_end(said.low, kind), _end(said.high, kind)]
        for value in ends:
            try:
                validate(recipe_with(recipe, {path: value}))
            except UsageError as error:
                raise UsageError(f"recipe: search.{path}: {value!r} cannot work ({error})") from error


def draw(trial: "optuna.Trial", recipe: Recipe) -> dict[str, Value]:
    """Field -> the value that a trial is to have."""
    values: dict[str, Value] = {}
    for path, said in recipe.search.items():
        if said.choices is not None:
            values[path] = trial.suggest_categorical(path, said.choices)
            continue
        assert said.low is not None, "the range was checked"
        assert said.high is not None, "the range was checked"
        if _kind_of(recipe, path) is int:
            values[path] = trial.suggest_int(path, int(said.low), int(said.high), log=said.log)
        else:
            values[path] = trial.suggest_float(path, said.low, said.high, log=said.log)
    return values


def recipe_with(recipe: Recipe, values: Mapping[str, Value]) -> Recipe:
    """The recipe of one trial; a term of the loss whose weight is 0 is left out.

    Raises:
        UsageError: A value is of the wrong type.
    """
    said = replace(recipe, search={}, control=False).plain()
    for path, value in values.items():
        *parents, last = path.split(".")
        place = said
        for part in parents:
            place = place[part]
        place[last] = value
    said["losses"] = {name: term for name, term in said["losses"].items() if term["weight"] != 0}
    parser = _parser()
    try:
        return recipe_of(parser, parser.parse_object(said))
    except (ArgumentError, TypeError) as error:
        raise UsageError(one_line(error)) from error


_parser = cache(recipe_parser)  # it takes longer to make than to use


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
    for part in path.split("."):
        known: Iterable[str] = ()
        if is_dataclass(kind):
            hints = get_type_hints(kind)
            known, kind = hints, hints.get(part)
            value = getattr(value, part, None)
        elif get_origin(kind) is dict:
            kind = get_args(kind)[1]
            known = [part] if kind is Any else value  # which options there are is known to whom they are given
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


def _check_range(path: str, said: SearchRange, kind: Any) -> None:
    where = f"recipe: search.{path}"
    if said.choices is not None:
        if said.low is not None or said.high is not None or said.log:
            raise UsageError(f"{where} has choices, so low, high and log are left out")
        if not said.choices or any(not isinstance(choice, Value) for choice in said.choices):
            raise UsageError(f"{where}.choices must be a list of numbers, words or true and false, not {said.choices}")
        if any(choice in said.choices[:number] for number, choice in enumerate(said.choices)):
            raise UsageError(f"{where}.choices names a value twice: {said.choices}")
        return
    if said.low is None or said.high is None:
        raise UsageError(f"{where} needs choices, or low and high")
    if kind not in (int, float, Any):
        raise UsageError(f"{where} is no number, so low and high say nothing; give choices")
    if not said.low < said.high < float("inf"):
        raise UsageError(f"{where}: low is {said.low:g} and high {said.high:g}; low must be the lesser")
    if said.log and said.low <= 0:
        raise UsageError(f"{where}: low is {said.low:g}, which has no logarithm; raise it, or leave log out")
    if kind is int and (said.low != int(said.low) or said.high != int(said.high)):
        raise UsageError(f"{where} counts something, so low and high must be whole numbers")


def _end(value: float | None, kind: Any) -> Value:
    return value if value is None or kind is not int else int(value)
