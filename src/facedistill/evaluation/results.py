"""What an evaluation gives: frozen dataclasses that become JSON and tables."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from rich.table import Table
from rich.text import Text

from facedistill.printable import printable

NOT_KNOWN = "n/a"

_LEAST_WIDTH = 60  # characters, so that captions do not become columns


@dataclass(frozen=True)
class Result:
    """Figures that belong together; rates are fractions from 0 to 1. Subclasses are frozen dataclasses.

    Attributes:
        OPTIONAL: Fields that `to_json` leaves out where they are None.
    """

    OPTIONAL: ClassVar[tuple[str, ...]] = ()

    def to_json(self) -> dict[str, Any]:
        """The fields in their order, results within them likewise; only what `json.dumps` takes."""
        values = {field.name: as_json(getattr(self, field.name)) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None or name not in self.OPTIONAL}

    def tables(self, title: str) -> list[Table]:
        """Tables for `rich.print`, their titles beginning with `title`; by default one of all figures as they are."""
        return [figure_table(title, ("", "value"), _rows(self.to_json()))]


def as_json(value: Any) -> Any:
    """`value` with all results in it as dictionaries."""
    if isinstance(value, Result):
        return value.to_json()
    if isinstance(value, Mapping):
        return {name: as_json(item) for name, item in value.items()}
    return [as_json(item) for item in value] if isinstance(value, list | tuple) else value


def _rows(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from _rows(value, f"{prefix}{name}, ")
        else:
            yield prefix + name, f"{value:.4g}" if isinstance(value, float) else str(value)


def figure_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> Table:
    """A table whose first column names the rows; the others are figures."""
    table = Table(title=title, caption=caption or None, min_width=_LEAST_WIDTH)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def percent(rate: float | None, digits: int = 2) -> str:
    """A rate 0..1 in per cent; a dash where there is none."""
    return "\N{EN DASH}" if rate is None else f"{100 * rate:.{digits}f}"


def percent_with_interval(
    rate: float | None, interval: Sequence[float] | None, digits: int, std: float | None = None
) -> str:
    """A rate 0..1 in per cent, with its standard deviation and interval where there are any; n/a without a rate."""
    if rate is None:
        return NOT_KNOWN
    spread = "" if std is None else f" \N{PLUS-MINUS SIGN} {percent(std, digits)}"
    bounds = "" if interval is None else f" ({percent(interval[0], digits)}-{percent(interval[1], digits)})"
    return percent(rate, digits) + spread + bounds


def rate_rows(name: str, rates: Mapping[str, float]) -> list[tuple[str, str]]:
    """A row for each rate of a mapping such as {"0.001": 0.93}: ("TAR % at FAR 0.001", "93.00")."""
    return [(f"{name} {at}", percent(rate)) for at, rate in rates.items()]
