"""Functions as a command line: the parser, its arguments, and one line and an exit code for what goes wrong."""

import inspect
import os
import re
import sys
import threading
import warnings
from argparse import ArgumentError
from collections.abc import Callable, Collection, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from facedistill.cli.screen import prepare_screen, warn
from facedistill.errors import AnotherFailedError, FacedistillError, FacedistillWarning, UsageError
from facedistill.foreign import foreign_failure
from facedistill.printable import printable
from facedistill.progress import notify
from facedistill.recipe.files import check_options, one_line, parse_recipe_file, recipe_parser

_show_warning = warnings.showwarning

Commands = Mapping[str, Callable[..., None]]


def build_parser(description: str, recipe_commands: Commands, commands: Commands) -> ArgumentParser:
    """The parser of the whole program.

    Args:
        description: What the program does.
        recipe_commands: Name -> function that takes a recipe.
        commands: Name -> function whose arguments are the command's.
    """
    parser = ArgumentParser(
        prog="facedistill", description=description, version=version("facedistill"), exit_on_error=False
    )
    subcommands = parser.add_subcommands(required=True, metavar="COMMAND")
    for name, command in {**recipe_commands, **commands}.items():
        if name in recipe_commands:
            own = recipe_parser()
            own.usage = f"facedistill {name} RECIPE.yaml [--FIELD VALUE ...] | --resume RUN"
        else:
            own = ArgumentParser(exit_on_error=False)
            several = [
                key for key, entry in inspect.signature(command).parameters.items() if entry.annotation == list[str]
            ]
            for key in several:
                own.add_argument(key, nargs="+", help=f"one or more {key}")
            own.add_function_arguments(command, as_positional=True, as_group=False, skip=set(several))
        own.description = (inspect.getdoc(command) or name).partition("\n\nArgs:")[0]
        subcommands.add_subcommand(name, own, help=own.description.partition(".")[0])
    return parser


def recipe_file_first(arguments: list[str], recipe_commands: Collection[str]) -> list[str]:
    """`distill RECIPE.yaml` and `distill --resume RUN` as arguments of the parser: `--config FILE`.

    Raises:
        UsageError: The file is no recipe, or an option names a loss whose name has dots, at which the parser splits.
    """
    if len(arguments) < 2 or arguments[0] not in recipe_commands:
        return arguments
    command, first, *rest = arguments
    if first == "--resume" and rest:
        run, *rest = rest
        _notice_lost_state(Path(run))
        first, rest = str(Path(run) / "recipe.yaml"), ["--out", run, *rest]
    elif first.startswith("-"):
        return arguments
    if foreign := [word for word in rest if re.match(r"--losses\.[^=]*:", word)]:
        raise UsageError(
            f"{foreign[0].partition('=')[0]}: an option cannot reach into a loss of another package; set it in the "
            "recipe file, or give all terms: --losses '{NAME: {weight: 1, options: {}}}'"
        )
    check_options(rest)
    parse_recipe_file(recipe_parser(), Path(first))  # whose errors name the file
    return [command, "--config", first, *rest]


def _notice_lost_state(run: Path) -> None:
    """Tells that a run has nothing saved to go on with, where it has begun and is not finished."""
    begun = (run / "recipe.yaml").exists() and not (run / "summary.json").exists()
    if begun and not any(run.rglob("last.pt")) and os.environ.get("RANK", "0") == "0":
        notify(f"{run} has no last.pt, so nothing was saved before it stopped; it begins at step 0")


def with_flags(arguments: list[str], commands: Commands) -> list[str]:
    """`--preview` as an argument of the parser: `--preview=true`."""
    command = commands.get(arguments[0]) if arguments else None
    if command is None:
        return arguments
    flags = {f"--{name}" for name, entry in inspect.signature(command).parameters.items() if entry.default is False}
    followed = zip(arguments, [*arguments[1:], ""], strict=True)
    return [f"{each}=true" if each in flags and after not in ("true", "false") else each for each, after in followed]


def exit_code(work: Callable[[], None]) -> int:
    """Does a command's work; returns 0, 1 (the work failed) or 2 (the call was wrong), printing why in one line."""
    warnings.showwarning = _print_warning
    threading.excepthook = _print_failure
    prepare_screen()
    try:
        work()
        sys.stdout.flush()  # what is wrong with it is reported here, not at the interpreter's end
        return 0
    except AnotherFailedError as error:
        return error.exit_code
    except FacedistillError as error:
        return _fail(str(error), error.exit_code)
    except ArgumentError as error:
        return _fail(f"{one_line(error)}; see `facedistill --help`", UsageError.exit_code)
    except (Exception, SystemExit, GeneratorExit) as error:
        if failure := foreign_failure(error):
            return _fail(str(failure), failure.exit_code)
        if isinstance(error, ModuleNotFoundError):
            message = f"this command needs {error.name}, which is not installed; run `pip install 'facedistill[train]'`"
            return _fail(message, UsageError.exit_code)
        if isinstance(error, BrokenPipeError):  # whoever read the output, such as `head`, wants no more of it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, OSError):  # a full disk, a folder that cannot be read
            reason = f"{error.filename or 'input or output'}: {error.strerror or error}"
            return _fail(reason, FacedistillError.exit_code)
        raise
    except KeyboardInterrupt:
        return _fail("stopped; what was done is kept, and the same command goes on", FacedistillError.exit_code)


def _print_warning(message: Warning | str, category: type[Warning], *place: Any, **rest: Any) -> None:
    """A warning of ours is one line, marked as one, without a place in the code; others are shown as Python does."""
    if issubclass(category, FacedistillWarning):
        warn(f"warning: {message}")
    else:
        _show_warning(printable(str(message), keep="\n"), category, *place, **rest)


def _print_failure(failure: threading.ExceptHookArgs) -> None:
    """A thread that cannot write, such as TensorBoard's on a full disk, is one line; other failures are bugs."""
    if isinstance(failure.exc_value, OSError):
        warn(f"{failure.exc_value.filename or 'input or output'}: {failure.exc_value.strerror or failure.exc_value}")
    else:
        threading.__excepthook__(failure)


def _fail(message: str, code: int) -> int:
    warn(message)
    return code
