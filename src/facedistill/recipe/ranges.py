"""The range of every number in a recipe, a row a field, by the names of its sections' classes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

from facedistill.checks import (
    MOST_EMBEDDING,
    MOST_WIDTH,
    check_count,
    check_number,
    check_processes,
    check_seed,
    check_share,
    check_size,
)
from facedistill.synth.pool import LEAST_PEOPLE, MOST_IMAGES, MOST_PEOPLE, check_wide

_Check = Callable[[str, Any], object]

_positive: _Check = partial(check_number, above=0)
_not_negative: _Check = partial(check_number, low=0)
_inner_share: _Check = partial(check_number, above=0, below=1)  # of which something must be left on both sides
_from_0: _Check = partial(check_count, least=0)

RANGES: Mapping[str, Mapping[str, _Check]] = {
    "Recipe": {
        "steps": check_count,
        "batch_size": partial(check_count, least=2, most=1 << 20),  # batch normalisation needs two
        "validate_every": check_count,
        "seed": check_seed,
        "workers": partial(check_processes, least=0),
        "devices": check_processes,
        "nodes": check_processes,
        "ema": partial(check_number, low=0, below=1),
        "minutes": _positive,
    },
    "SynthRecipe": {
        "identities": partial(check_count, least=LEAST_PEOPLE, most=MOST_PEOPLE),
        "images": partial(check_count, most=MOST_IMAGES),
        "seed": check_seed,
        "start": check_count,  # and no more than identities, which its section checks
        "growth": _positive,
        "exaggeration": check_wide,
        "variety": check_wide,
    },
    "DataRecipe": {
        "held_out_identities": _from_0,
        "validation_identities": _from_0,
        "split_seed": check_seed,
        "stored_size": check_size,
    },
    "TeacherRecipe": {
        "mean": partial(check_number, low=-1e4, high=1e4),
        "std": partial(check_number, above=0, high=1e4),
        "size": check_size,
        "weight": _positive,
        "views": partial(check_count, least=0, most=10_000),
    },
    "NetRecipe": {
        "width": partial(check_number, above=0, high=MOST_WIDTH),
        "embedding_size": partial(check_count, most=MOST_EMBEDDING),
        "input_size": check_size,
    },
    "HeadRecipe": {"sample_rate": check_share},
    "LossTerm": {"weight": _positive, "small": _not_negative, "end": _not_negative, "end_images": _from_0},
    "OptimiserRecipe": {
        "learning_rate": partial(check_number, above=0, high=1e3),
        "momentum": partial(check_number, low=0, below=1),
        "weight_decay": partial(check_number, low=0, high=1e3),
        "warmup": partial(check_number, low=0, below=1),
        "clip": _positive,
        "warmup_images": _from_0,
        "cooldown_images": _from_0,
    },
    "ClassificationRecipe": {
        "held_out": _inner_share,
        "validation": _inner_share,
        "teacher_steps": check_count,
        "seeds": partial(check_count, most=1000),
    },
    "SearchRange": {"low": check_number, "high": check_number},
}


def check_ranges(recipe: Any) -> None:
    """Refuses a number of a recipe that is out of its range.

    Raises:
        UsageError: Names the field and its range.
    """
    for place, section in _sections(recipe, ""):
        ranges = {
            name: check for kind in type(section).__mro__ for name, check in RANGES.get(kind.__name__, {}).items()
        }
        for field in fields(section):
            check = ranges.get(field.name)
            value = getattr(section, field.name)
            if check is not None and not (value is None and field.default is None):
                check(f"recipe: {place}{field.name}", value)


def _sections(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Every section and where it stands, such as "losses.soft."; the recipe itself first."""
    inner: Iterable[tuple[object, Any]] = ()
    if is_dataclass(value):
        yield place, value
        inner = ((each.name, getattr(value, each.name)) for each in fields(value))
    elif isinstance(value, Mapping):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for name, each in inner:
        yield from _sections(each, f"{place}{name}.")
