"""Every number that a user gives is in its range or refused in one line: public calls, recipe fields, options.

The public signatures are walked: a number that is added without a row here fails.
"""

import importlib
import inspect
import pkgutil
import re
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

import facedistill
from facedistill.checks import check_count, check_number, read_count
from facedistill.cli import main
from facedistill.cli.main import _COMMANDS
from facedistill.errors import UsageError
from facedistill.models import shipped_models
from facedistill.recipe import ClassificationRecipe, Recipe, SearchRange, VarianceStep
from facedistill.recipe.ranges import RANGES
from tests.public_calls import LONG, valid_calls
from tests.shipped_models import write_shipped

NUMBER = re.compile(r"\b(int|float)\b")
SEVERAL = re.compile(r"tuple|Sequence|Iterable|list")
BAD: dict[str, Any] = {
    "nan": float("nan"),
    "infinite": float("inf"),
    "negative infinite": float("-inf"),
    "too large": 10**400,
    "negative": -1,
    "zero": 0,
    "true": True,
    "text": "1",
}
ZERO, NEGATIVE, TRUE = "zero", "negative", "true"

CHOICES = {"face": "'largest', 'centre' or a number: tests/runtime/test_which_face.py tries wrong ones"}

# Public names that take numbers which no user gives, by their pattern, with the reason.
NOT_GIVEN = {
    r"(views|variance)\.\w+\.\w+": "a part's methods are called with sizes of checked pictures and its own draws",
    r"views\.(Context|Cut|Draws|View)": "made by the package and handed to a part",
    r"recipe\.\w+\.(rate|factor)": "called by the training with its own counts",
    r"recipe\.\w+": "a recipe is checked as a whole, see below",
    r"backbones\.BackboneSpec\.final_size": "called by a net with its own number of halvings",
    r"datasets\.(Damage|Face)": "an entry of a face set, which its reader makes",
    r"datasets\.PairSet(\.image)?": "made by the readers of lists; an index is one of a Python sequence",
    r"evaluation\.(Calibration|IdentificationResult|McNemar|ErrorBound|Cell|Comparison|Estimate)": "a result",
    r"evaluation\.(SearchFigures|VerificationFigures|VerificationResult|percent)": "a result, and how it is printed",
    r"export\.(Cost|Proof)|training\.FitResult|runtime\.(Verification|UsedFace)|report\.Model": "a result",
    r"faces\.(CropConvention|Detection)": "a result of detection; the conventions are fixed",
    r"heads\.(add_angle|drop_parts|load_parts|save_part)": "called by heads and by the training with its own steps",
    r"search\.Standard\.\w+": "called by the search with figures that it measured",
    r"export\.file_cost": "called with the shape of an input that was read and checked",
    r"recordio\.write_records": "below: the size and classes of a set",
}


def rooms() -> list[Any]:
    return [
        importlib.import_module(f"facedistill.{room.name}")
        for room in pkgutil.iter_modules(facedistill.__path__)
        if room.ispkg
    ]


def numbers_of(function: Any) -> dict[str, str]:
    """Parameter -> its annotation, of those that are numbers or several of them."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return {}
    texts = {each.name: getattr(each.annotation, "__name__", "") for each in parameters}
    for each in parameters:
        if not isinstance(each.annotation, type) or SEVERAL.search(str(each.annotation)):
            texts[each.name] = str(each.annotation)
    found = {name: text for name, text in texts.items() if NUMBER.search(text) and "Callable" not in text}
    return {name: text for name, text in found.items() if name not in CHOICES}


def public() -> dict[str, dict[str, str]]:
    """room.name[.method] -> its numbers."""
    found = {}
    for room in rooms():
        short = room.__name__.removeprefix("facedistill.")
        for name in getattr(room, "__all__", None) or [name for name in vars(room) if not name.startswith("_")]:
            thing = getattr(room, name)
            if not (inspect.isclass(thing) or inspect.isfunction(thing)) or not thing.__module__.startswith("facedis"):
                continue
            methods = vars(thing) if inspect.isclass(thing) else {}
            called = {"": thing} | {f".{key}": each for key, each in methods.items() if not key.startswith("_")}
            for suffix, each in called.items():
                if (inspect.isclass(each) or inspect.isfunction(each)) and (numbers := numbers_of(each)):
                    found[f"{short}.{name}{suffix}"] = numbers
    return found


PUBLIC = public()


def given(name: str) -> bool:
    return not any(re.fullmatch(pattern, name) for pattern in NOT_GIVEN)


# Numbers that lie out of the ordinary range of counts and sizes and are right, with the reason.
RIGHT = {
    "seed": ({ZERO}, "a seed"),
    "failed": ({ZERO}, "nothing failed"),
    "mated": ({ZERO}, "nothing failed"),
    "unmated": ({ZERO}, "nothing failed"),
    "bootstrap": ({ZERO}, "leaves the intervals out"),
    "parts": ({ZERO}, "a part without people"),
    "failures": ({ZERO}, "a rate that was measured"),
    "similarity": ({ZERO, NEGATIVE}, "a cosine"),
    "threshold": ({ZERO, NEGATIVE}, "a cosine"),
    "mean": ({ZERO, NEGATIVE}, "nets differ"),
    "thresholds": ({ZERO}, "takes every window"),
    "margin": ({ZERO}, "no margin, as of a plain softmax"),
    "max_difference": ({ZERO}, "wants the very same numbers"),
    "low": ({ZERO}, "the lowest end"),
}


RIGHT_IN = {"views": ({ZERO}, "a part that does nothing"), "variance": ({ZERO}, "a part that does nothing")}


def wrong_values(room: str, name: str, annotation: str) -> list[Any]:
    """What a number must not be; of several numbers, each of them."""
    right = RIGHT.get(name, (set(), ""))[0] | RIGHT_IN.get(room, (set(), ""))[0]
    values = [value for label, value in BAD.items() if label not in right]
    if annotation == "int":
        values.append(1.5)
    if not SEVERAL.search(annotation) or name == "statistic":
        return [("tar", value) for value in values] if name == "statistic" else values
    several = 3 if name == "thresholds" else 2
    return [(value,) * several for value in values]


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    slim = shipped_models().get("slim-m") or write_shipped(tmp_path_factory.mktemp("models")) / "slim-m.onnx"
    return valid_calls(slim, tmp_path_factory.mktemp("out"))


def refused(call, *arguments, **options):
    with pytest.raises(UsageError) as error:
        call(*arguments, **options)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500, "a huge number is cut"


@pytest.mark.parametrize("name", [name for name in PUBLIC if given(name)])
def test_a_public_call_refuses_numbers_out_of_range(calls, name):
    room, _, part = name.partition(".")
    function, valid = calls.get(name, (None, ()))
    if function is None:  # a part whose other options have defaults; a head needs two sizes
        function = getattr(importlib.import_module(f"facedistill.{room}"), part)
        sizes = {"embedding_size": 8, "classes": 4} if room == "heads" else {}
        function(**sizes)
    elif name not in LONG:
        function(*valid)
    for place, (parameter, annotation) in enumerate(PUBLIC[name].items()):
        for value in wrong_values(room, parameter, annotation):
            if valid:
                refused(function, *valid[:place], value, *valid[place + 1 :])
            else:
                refused(function, **sizes | {parameter: value})


@pytest.mark.parametrize("pattern", NOT_GIVEN)
def test_names_that_are_left_out_are_there(pattern):
    assert any(re.fullmatch(pattern, name) for name in PUBLIC)


FULL = Recipe(
    classification=ClassificationRecipe(),
    search={"student.width": SearchRange()},
    variance=[VarianceStep("low_resolution")],
)


def sections(value, place=""):
    """(place, section, how to put it back into a whole recipe)."""
    yield value, lambda changed: changed
    for each in fields(value):
        inner = getattr(value, each.name)
        if isinstance(inner, dict) and inner:
            key, part = next(iter(inner.items()))
            wrap = lambda changed, name=each.name, key=key: replace(value, **{name: {key: changed}})  # noqa: E731
        else:
            part = inner
            wrap = lambda changed, name=each.name: replace(value, **{name: changed})  # noqa: E731
        if type(part).__name__ in RANGES:
            for section, outer in sections(part):
                yield section, lambda changed, wrap=wrap, outer=outer: wrap(outer(changed))


RECIPE_NUMBERS = [
    (section, each, whole)
    for section, whole in sections(FULL)
    for each in fields(section)
    if NUMBER.search(str(each.type)) and "dict" not in str(each.type)
]
RECIPE_RIGHT = {
    "seed": {ZERO},
    "split_seed": {ZERO},
    "held_out_identities": {ZERO},
    "validation_identities": {ZERO},
    "views": {ZERO},
    "mean": {ZERO, NEGATIVE},
    "small": {ZERO},
    "end": {ZERO},
    "end_images": {ZERO},
    "momentum": {ZERO},
    "weight_decay": {ZERO},
    "warmup": {ZERO},
    "warmup_images": {ZERO},
    "cooldown_images": {ZERO},
    "workers": {ZERO},
    "ema": {ZERO},
    "low": {ZERO, NEGATIVE},
    "high": {ZERO, NEGATIVE},
}


@pytest.mark.parametrize(
    ("section", "number", "whole"),
    RECIPE_NUMBERS,
    ids=[f"{type(section).__name__}.{each.name}" for section, each, _ in RECIPE_NUMBERS],
)
def test_a_recipe_refuses_numbers_out_of_range(section, number, whole):
    assert number.name in RANGES[type(section).__name__], "give it a range"
    several = "tuple" in str(number.type)
    for label, value in BAD.items():
        if label not in RECIPE_RIGHT.get(number.name, set()):
            changed = whole(replace(section, **{number.name: (value, value) if several else value}))
            with pytest.raises(UsageError, match=rf"recipe: .*{number.name}") as error:
                changed.check()
            assert "\n" not in str(error.value)


OPTIONS = [
    (command, name)
    for command, function in _COMMANDS.items()
    for name, entry in inspect.signature(function).parameters.items()
    if NUMBER.search(str(entry.annotation)) or name in ("size", "input")
]
NEEDED = {  # arguments that make each command complete
    "eval": ["slim-m"],
    "prepare": ["photos", "out"],
    "search": [],
    "synth": ["out"],
    "info": ["slim"],
    "verify": ["one.png", "other.png"],
}


@pytest.mark.parametrize(("command", "option"), OPTIONS)
@pytest.mark.parametrize("value", ["nan", "-1", "1e400", "9" * 5000])
def test_an_option_refuses_numbers_out_of_range(command, option, value, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos" / "p").mkdir(parents=True)
    (tmp_path / "photos" / "p" / "a.jpg").touch()
    (tmp_path / "recipe.yaml").write_text("search: {student.width: {low: .1, high: .2}}\n")
    needed = ["recipe.yaml", "--until", "16.eer <= .5"] if command == "search" else NEEDED[command]
    text = f"[{value}]" if option == "resolutions" else value
    assert main([command, *needed, f"--{option}={text}"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("facedistill: ")
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists(), "refused before anything is made"


@pytest.mark.parametrize("text", ["", "x", "1.5", "-1", "0", "9" * 5000, "²", "1e3", "nan"])
def test_a_number_in_the_environment_is_checked(text):
    refused(read_count, "WORLD_SIZE", text)


def test_numbers_of_numpy_are_numbers():
    assert check_number("x", np.float32(0.5)) == 0.5
    assert type(check_number("x", np.int64(3))) is float
    assert check_count("x", np.uint8(3)) == 3
    assert type(check_count("x", np.int32(3))) is int
    for value in (np.bool_(True), np.float64("nan"), np.array([1.0]), 1 + 0j):
        refused(check_number, "x", value)
        refused(check_count, "x", value)
