"""What a protocol is: figures from an embedding and the data on disk, and their tables for people.

A protocol's module defines

    def run(embed: Embed, path: Path, size: tuple[int, int], *, option=default) -> Figures
    def tables(title: str, figures: Figures) -> list[Table]
    PROTOCOL = Protocol(run, tables)

and one line in the registry (`PROTOCOLS` in this package's `__init__`) gives it the name by which it is called.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

Figures = dict[str, Any]

_LEAST_WIDTH = 60  # characters, so that captions do not become columns


@dataclass(frozen=True)
class Protocol:
    """A way to judge an embedding.

    Attributes:
        run: (embed, path, size, **options) -> a JSON-able dict, rates as fractions 0..1. `embed` takes crops
            uint8 [B, height, width, 3] of `size` = (height, width). Its keyword parameters are the protocol's options.
            It raises UsageError where `path` is not laid out as the protocol's module says, and FacedistillError
            where the data are damaged or too few.
        tables: (title, what `run` gave) -> tables for `rich.print`, rates in per cent.
    """

    run: Callable[..., Figures]
    tables: Callable[[str, Figures], list[Table]]


def figure_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> Table:
    """A table whose first column names the rows; the others are figures."""
    table = Table(title=title, caption=caption or None, min_width=_LEAST_WIDTH)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def percent(rate: float | None, digits: int = 2) -> str:
    """A rate 0..1 in per cent; a dash where there is none."""
    return "\N{EN DASH}" if rate is None else f"{100 * rate:.{digits}f}"


def rate_rows(name: str, rates: Mapping[str, float]) -> list[tuple[str, str]]:
    """A row for each rate of a mapping such as {"0.001": 0.93}: ("TAR % at FAR 0.001", "93.00")."""
    return [(f"{name} {at}", percent(rate)) for at, rate in rates.items()]
