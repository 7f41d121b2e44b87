"""Recipes as files and as command-line options: one parser for both."""

from argparse import ArgumentError
from dataclasses import fields
from pathlib import Path

import yaml
from jsonargparse import ArgumentParser, Namespace

from facedistill.errors import UsageError
from facedistill.recipe import Recipe


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
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the recipe {path}: {error.strerror or error}; give a YAML file") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"the recipe {path} is no YAML: {one_line(error)[:200]}") from error
    if not isinstance(content, dict):
        raise UsageError(f"the recipe {path} is empty or no mapping; copy one of recipes/ and edit it")
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
    """The recipe in what `recipe_parser` has parsed."""
    values = parser.instantiate(parsed)
    return Recipe(**{entry.name: values[entry.name] for entry in fields(Recipe)})


def one_line(error: Exception) -> str:
    """A parser's message without its line breaks."""
    return " ".join(str(error).split())
