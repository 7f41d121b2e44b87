"""The figures of models side by side: for a terminal, for Markdown, for the report page."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from facedistill.errors import UsageError
from facedistill.evaluation.results import NOT_KNOWN, percent_with_interval
from facedistill.evaluation.sweep import BOTH, GALLERY_NATIVE, MATCHED, METRICS, SIDES
from facedistill.evaluation.sweep import resolution_title as resolution_title
from facedistill.evaluation.sweep import resolutions_of as resolutions_of
from facedistill.model_file import NATIVE
from facedistill.printable import printable
from facedistill.report.figures import STUDENT, TITLES, Report

Line = tuple[str, tuple[str, ...]]
"""What is measured, with its unit, and a text per model."""

_MARKDOWN = re.compile(r"([\\`*\[\]<>|])")  # what would be no text in a cell
_KEY_RESOLUTION = "16"
_COSTS = {  # title -> key, pattern, scale
    "file, MB": ("size_mb", "{:.1f}", 1.0),
    "parameters, million": ("parameters", "{:.2f}", 1e-6),
    "multiply-adds, million": ("macs", "{:.0f}", 1e-6),
    "CPU ms per face": ("latency_ms", "{:.1f}", 1.0),
}


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


def side_by_side(models: Sequence[Mapping[str, Any]]) -> dict[str, list[Line]]:
    """Heading -> lines of the table: figures matched, and with the gallery native.

    Args:
        models: Each {"size_mb", "parameters", "macs", "latency_ms", "sweep"}, all over the same resolutions.
    """
    sections: dict[str, list[Line]] = {
        "model": [
            (title, tuple(NOT_KNOWN if model[key] is None else pattern.format(model[key] * scale) for model in models))
            for title, (key, pattern, scale) in _COSTS.items()
        ]
    }
    sweeps = [model["sweep"] for model in models]
    matched = [sweep[BOTH] for sweep in sweeps]
    sides = {f", {MATCHED}": matched, f", {GALLERY_NATIVE}": sweeps}
    for metric in ("accuracy", "eer"):
        sections[METRICS[metric]] = [
            (resolution_title(name) + side, tuple(_cell_text(cells[name], metric) for cells in each))
            for name in resolutions_of(matched[0])
            for side, each in ({"": matched} if name == NATIVE else sides).items()
        ]
    return sections


def _cell_text(cell: Mapping[str, Any], metric: str) -> str:
    """A metric of one cell in per cent, with the standard deviation over seeds and the interval where there are any."""
    return percent_with_interval(cell[metric], cell["ci"].get(metric), 1, cell.get("std", {}).get(metric))


def markdown_table(report: Report) -> str:
    """The table in Markdown, figures in per cent with 95 % intervals; ends with a newline."""
    heads = ["", *(model.title for model in report.models)]
    lines = [_markdown(heads), _markdown(["---", *("---:" for _ in heads[1:])])]
    for section, rows in side_by_side([model.measured for model in report.models]).items():
        for title, values in rows:
            lines.append(_markdown([title if section == "model" else f"{section}, {title}", *values]))
    return "\n".join(lines) + "\n"


def summary_table(summary: Mapping[str, Any]) -> Table:
    """The table of one run's summary for `rich.print`."""
    table = Table(title=f"{summary['name']}, tested on {summary['test']['set']}", caption=SIDES)
    table.add_column("")
    names = models_in(summary)
    for name in names:
        table.add_column(TITLES[name], justify="right", no_wrap=name != "control")
    for section, rows in side_by_side([summary["models"][name] for name in names]).items():
        table.add_section()
        table.add_row(Text(section, style="bold"))
        for title, values in rows:
            table.add_row(title, *values)
    return table


def _markdown(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_MARKDOWN.sub(r"\\\1", printable(cell)) for cell in cells) + " |"
