"""The report as one HTML page that a newcomer understands, readable without a network."""

from pathlib import Path

from facedistill.files import write_text
from facedistill.report import plots
from facedistill.report.drawing import GLYPHS
from facedistill.report.figures import Report
from facedistill.report.sections import PageContent
from facedistill.report.templating import render
from facedistill.report.texts import measured


def write_report(path: Path, report: Report) -> None:
    """Writes the report page, self-contained and whole or not at all.

    Args:
        path: The HTML file.
        report: The figures.

    Raises:
        UsageError: matplotlib or Jinja2 is not installed.
        FacedistillError: The file cannot be written.
    """
    page = render(
        "report.html.j2",
        report=report,
        content=PageContent(report),
        plots=plots,
        glyphs=GLYPHS,
        measured=measured(report),
    )
    write_text(path, page)
