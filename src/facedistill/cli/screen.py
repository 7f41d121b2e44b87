"""The screen: lines, tables and figures on standard output, in which no name of a file can do anything."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from facedistill.printable import printable

STDOUT = "-"

_figures: list[TextIO] = []


def show(line: str) -> None:
    """Prints one line."""
    print(printable(line))


def warn(message: str) -> None:
    """Prints one line for people to standard error; nothing where that was closed, as with its terminal."""
    line = printable(message.replace("\n", " "))
    try:
        print(f"facedistill: {line}", file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = None  # else the interpreter fails once more at its end


class _Console(Console):
    """Takes no text for markup or emoji codes, and shows control characters as escapes."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text, keep="\n"), **options)


def console() -> Console:
    """Where tables are printed: as wide as the terminal, or wide enough for a file."""
    return _Console(width=None if sys.stdout.isatty() else 160, markup=False, emoji=False)


@contextmanager
def figures_alone() -> Iterator[None]:
    """Leaves standard output to the figures (`--json -`), for another program to read; all else goes to stderr."""
    _figures.append(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _figures.pop()


def show_figures(text: str) -> None:
    """Writes figures to standard output, within `figures_alone` too."""
    stream = _figures[-1] if _figures else sys.stdout
    stream.write(text)
    stream.flush()


def prepare_screen() -> None:
    """What the screen's encoding lacks (ASCII of the locale C, a name that is not UTF-8) is printed as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
