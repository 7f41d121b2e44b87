"""A search as one HTML page, from the templates of the report."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facedistill.files import write_text
from facedistill.report.templating import render
from facedistill.search.report import Report, describe_values, front_heads, front_rows, verdict

PAGE = "search.html"


def write_page(folder: Path, report: Report, origin: Mapping[str, Any]) -> None:
    """Writes `search.html`, self-contained and whole or not at all.

    Args:
        folder: The search's.
        report: The search as it stands.
        origin: Recipe digest, seed, sampler, versions.

    Raises:
        UsageError: Jinja2 is not installed.
        FacedistillError: The file cannot be written.
    """
    page = render(
        "search.html.j2",
        name=folder.name,
        headline=f"The standard is {'met' if report.met else 'not met'} after {len(report.trials)} trials",
        lead=f"{report.standard}. " + ". ".join(verdict(report)[: 2 + len(report.stopped_by)]) + ".",
        report=report,
        front_heads=front_heads(report),
        front=front_rows(report),
        measures={bound.target: bound.target for bound in report.standard.figures}
        | {"size_mb": "MB", "latency_ms": "ms"},
        describe_values=describe_values,
        settings=[(name.replace("_", " "), _text(value)) for name, value in origin.items()],
    )
    write_text(folder / PAGE, page)


def _text(value: Any) -> str:
    return ", ".join(f"{name} {entry}" for name, entry in value.items()) if isinstance(value, Mapping) else str(value)
