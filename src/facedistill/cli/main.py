"""The program: parses a call, runs its command, and gives the exit code."""

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext

from facedistill.cli import cleaning, commands, model_files, packs, photos
from facedistill.cli.parser import build_parser, exit_code, recipe_file_first, with_flags
from facedistill.cli.screen import figures_alone
from facedistill.cli.values import is_stdout
from facedistill.recipe import Recipe
from facedistill.recipe.files import recipe_of, recipe_parser

_DESCRIPTION = "Distil any face-recognition teacher into a small student that still knows people at 16x16 pixels."
_RECIPE_COMMANDS: dict[str, Callable[[Recipe], None]] = {"train": commands.train, "distill": commands.distill}
_COMMANDS: dict[str, Callable[..., None]] = {
    "eval": commands.evaluate,
    "export": model_files.export,
    "info": model_files.info,
    "models": model_files.models,
    "report": commands.report,
    "verify": model_files.verify,
    "embed": photos.embed,
    "prepare": commands.prepare,
    "search": commands.search,
    "synth": commands.synth,
    "pack": packs.pack,
    "unpack": packs.unpack,
    "clean": cleaning.clean,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns 0, 1 (the work failed) or 2 (the call was wrong)."""
    given = list(sys.argv[1:] if arguments is None else arguments)

    def work() -> None:
        parser = build_parser(_DESCRIPTION, _RECIPE_COMMANDS, _COMMANDS)
        parsed = parser.parse_args(with_flags(recipe_file_first(given, _RECIPE_COMMANDS), _COMMANDS))
        name = parsed.subcommand
        if name in _RECIPE_COMMANDS:
            _run_recipe(_RECIPE_COMMANDS[name], recipe_of(recipe_parser(), parsed[name]), given)
        else:
            options = vars(parser.instantiate(parsed)[name])
            alone = any(is_stdout(options[key] or "") for key in ("json", "markdown") if key in options)
            with figures_alone() if alone else nullcontext():
                _COMMANDS[name](**options)

    return exit_code(work)


def _run_recipe(command: Callable[[Recipe], None], recipe: Recipe, given: list[str]) -> None:
    """Runs a command with its recipe: here, or in as many processes as the recipe sets."""
    from facedistill.training.launch import joined, launch, must_launch

    if must_launch(recipe):
        launch([sys.executable, "-m", "facedistill", *given], recipe)
        return
    with joined(recipe):
        command(recipe)
