"""Progress on stderr: a bar for whatever takes longer than two seconds, and notices."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import suppress
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from facedistill.printable import printable

T = TypeVar("T")

_PATIENCE = 2.0  # seconds without a bar


class _Rate(ProgressColumn):
    """Items a second, over the last half minute."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.3g}/s" if task.speed else "")


def notify(message: str) -> None:
    """Writes one line to stderr."""
    console = Console(file=sys.stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)
    with suppress(OSError):  # the terminal was closed
        console.print(printable(message))


def track(items: Iterable[T], description: str, total: int | None = None, unit: str = "") -> Iterator[T]:
    """Yields `items`; after two seconds a bar on stderr shows how many are done, how fast, and the time left.

    Args:
        items: Anything iterable.
        description: What is being done, e.g. "aligning faces".
        total: Number of items; taken from `len(items)` when it has one.
        unit: Printed behind the count.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit, markup=False),
        _Rate(),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
    )
    task = bar.add_task(printable(description), total=total)
    started, shown = time.monotonic(), False
    try:
        for item in items:
            yield item
            bar.advance(task)
            if not shown and time.monotonic() - started > _PATIENCE:
                shown = True
                with suppress(OSError):
                    bar.start()
    finally:
        if shown:
            with suppress(OSError):  # the terminal was closed
                bar.stop()
