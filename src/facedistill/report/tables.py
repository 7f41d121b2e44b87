"""The figures of models side by side: for a terminal, for Markdown, for the report page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from facedistill.errors import UsageError
from facedistill.evaluation.sweep import BOTH, METRICS
from facedistill.evaluation.sweep import resolution_title as resolution_title
from facedistill.evaluation.sweep import resolutions_of as resolutions_of
from facedistill.report.figures import STUDENT, TITLES, Report

NOT_KNOWN = "n/a"

_KEY_RESOLUTION = "16"


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        title: What is measured, with its unit.
        values: One text per model.
        section: The heading it stands under.
    """

    title: str
    values: tuple[str, ...]
    section: str


def models_in(summary: Mapping[str, Any]) -> list[str]:
    """Those of teacher, student and control that a run's summary holds, in this order.

    Raises:
        UsageError: It holds no student, or a model of another name.
    """
    models = summary["models"]
    if STUDENT not in models or not models.keys() <= TITLES.keys():
        raise UsageError(f"a summary's models are teacher, student and control, not {', '.join(models) or 'none'}")
    return [name for name in TITLES if name in models]


def key_resolution(sweep: Mapping[str, Any]) -> str:
    """The resolution of the headline: 16 rows where a sweep holds them, else its smallest."""
    known = resolutions_of(sweep)
    return _KEY_RESOLUTION if _KEY_RESOLUTION in known else known[-1]


def rows(models: Sequence[Mapping[str, Any]], both: bool = False) -> list[Row]:
    """The lines of the table.

    Args:
        models: Each {"size_mb", "parameters", "macs", "latency_ms", "sweep"}, all over the same resolutions.
        both: The accuracies with both pictures degraded instead of the probe alone, without the sizes and speeds.
    """

    def line(title: str, value: Callable[[Mapping[str, Any]], str]) -> Row:
        return Row(title, tuple(value(model) for model in models), "model")

    lines = []
    if not both:
        lines += [
            line("file, MB", lambda m: _number(m["size_mb"], "{:.1f}")),
            line("parameters, million", lambda m: _number(m["parameters"], "{:.2f}", 1e-6)),
            line("multiply-adds, million", lambda m: _number(m["macs"], "{:.0f}", 1e-6)),
            line("CPU ms per face", lambda m: _number(m["latency_ms"], "{:.1f}")),
        ]
    sweeps = [model["sweep"][BOTH] if both else model["sweep"] for model in models]
    for metric in ("accuracy", "eer"):
        for name in resolutions_of(sweeps[0]):
            values = tuple(cell_text(sweep[name], metric) for sweep in sweeps)
            lines.append(Row(resolution_title(name), values, METRICS[metric]))
    return lines


def cell_text(cell: Mapping[str, Any], metric: str) -> str:
    """A metric of one cell in per cent, with the standard deviation over seeds and the interval where there are any."""
    if cell[metric] is None:
        return NOT_KNOWN
    text = f"{100 * cell[metric]:.1f}"
    if "std" in cell:
        text += f" \u00b1 {100 * cell['std'][metric]:.1f}"
    if metric in cell["ci"]:
        low, high = cell["ci"][metric]
        text += f" ({100 * low:.1f}-{100 * high:.1f})"
    return text


def markdown_table(report: Report) -> str:
    """The table in Markdown, figures in per cent with 95 % intervals; ends with a newline."""
    heads = ["", *(model.title for model in report.models)]
    lines = [_markdown(heads), _markdown(["---", *("---:" for _ in heads[1:])])]
    for row in rows([model.measured for model in report.models]):
        title = row.title if row.section == "model" else f"{row.section}, {row.title}"
        lines.append(_markdown([title, *row.values]))
    return "\n".join(lines) + "\n"


def summary_table(summary: Mapping[str, Any]) -> Table:
    """The table of one run's summary for `rich.print`."""
    table = Table(title=f"{summary['name']}, tested on {summary['test']['set']}")
    table.add_column("")
    names = models_in(summary)
    for name in names:
        table.add_column(TITLES[name], justify="right", no_wrap=name != "control")
    section = ""
    for row in rows([summary["models"][name] for name in names]):
        if row.section != section:
            section = row.section
            table.add_section()
            table.add_row(f"[bold]{section}[/bold]")
        table.add_row(row.title, *row.values)
    return table


def _markdown(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _number(value: float | None, pattern: str, scale: float = 1.0) -> str:
    return NOT_KNOWN if value is None else pattern.format(value * scale)
