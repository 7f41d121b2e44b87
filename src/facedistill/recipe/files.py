"""Recipes as files and as command-line options: one parser for both."""

import re
from argparse import ArgumentError
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser, Namespace, get_loader, set_loader

from facedistill.errors import UsageError
from facedistill.recipe import Recipe
from facedistill.recipe.names import check_names, check_option
from facedistill.yaml_text import check_bounds, read_yaml

_CLASS = re.compile(r"Problem with given class_path '[\w.]+': ")
_PARSERS_OWN = ("config", "print_config", "help")
_load_unbounded = get_loader("yaml")


def _load_bounded(text: str) -> Any:
    """What jsonargparse makes of a file's text and of each value on the command line, within bounds."""
    try:
        check_bounds(text)
        return _load_unbounded(text)
    except ValueError as error:  # a number of too many digits
        raise yaml.YAMLError(str(error)) from error


set_loader("yaml", _load_bounded, exceptions=(yaml.YAMLError,))


def read_recipe(path: Path) -> Recipe:
    """Reads a recipe file.

    Raises:
        UsageError: The file is missing, or a key or a value is wrong; the message names it.
    """
    parser = recipe_parser()
    parsed = parse_recipe_file(parser, path)
    try:
        return recipe_of(parser, parsed)
    except (ArgumentError, TypeError) as error:
        raise UsageError(f"{path}: {one_line(error)}") from error


def parse_recipe_file(parser: ArgumentParser, path: Path) -> Namespace:
    """A recipe file's keys and values; whether they go together, `recipe_of` says.

    Raises:
        UsageError: The file is missing, no text, or holds no mapping; or it has a key that no recipe has, or a value of
            another type. The message names the file.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise UsageError(f"the recipe {path} is empty or no mapping; copy one of recipes/ and edit it")
    try:
        check_names(content, Recipe)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    try:
        parsed: Namespace = parser.parse_path(str(path))
    except (ArgumentError, TypeError) as error:
        raise UsageError(f"{path}: {one_line(error)}") from error
    return parsed


def recipe_parser() -> ArgumentParser:
    """A parser that takes a recipe as `--config FILE` and each of its fields as an option."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config", help="the recipe, a YAML file")
    parser.add_class_arguments(Recipe, as_group=False)
    return parser


def recipe_of(parser: ArgumentParser, parsed: Namespace) -> Recipe:
    """The recipe in what `recipe_parser` has parsed.

    Raises:
        UsageError: A key is no text; the message gives its place.
    """
    _check_keys(parsed, "")
    values = parser.instantiate(parsed)
    return Recipe(**{entry.name: values[entry.name] for entry in fields(Recipe)})


def _check_keys(value: Any, place: str) -> None:
    """Refuses a key that YAML read as a truth value or a number, as it does `on:` and `no:`."""
    if isinstance(value, list):
        for number, inner in enumerate(value):
            _check_keys(inner, f"{place}.{number}")
    if isinstance(value, Namespace):
        value = vars(value)
    if not isinstance(value, Mapping):
        return
    for key, inner in value.items():
        if not isinstance(key, str):
            raise UsageError(
                f"recipe: {place or 'the top level'} has the key {key!r}, which is no text; YAML reads an unquoted on, "
                'off, yes or no as a truth value, so quote the name: "on"'
            )
        _check_keys(inner, f"{place}.{key}" if place else key)


def check_options(arguments: Sequence[str]) -> None:
    """Refuses options of the command line that no recipe has, with the nearest name.

    Args:
        arguments: What follows the command and its recipe.

    Raises:
        UsageError: An option names no field.
    """
    for word in arguments:
        if word.startswith("--"):
            option = word.partition("=")[0]
            try:
                check_option(option.removeprefix("--").removesuffix("+").split("."), Recipe, _PARSERS_OWN)
            except UsageError as error:
                raise UsageError(f"{option}: {error}") from error


def one_line(error: Exception) -> str:
    """A parser's message without its line breaks and the names of our classes."""
    return _CLASS.sub("", " ".join(str(error).split()))
