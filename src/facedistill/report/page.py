"""The report as one HTML page that a newcomer understands, readable without a network."""

import re
from html import escape
from pathlib import Path

from facedistill.files import write_text
from facedistill.report.figures import Report
from facedistill.report.frame import PAGE, panel_rules
from facedistill.report.markup import fact_list, part, prose
from facedistill.report.sections import (
    calibration_part,
    cards_part,
    comparison_part,
    groups_part,
    pairs_part,
    pareto_part,
    resolution_part,
    score_part,
    table_part,
    trade_part,
    training_part,
)
from facedistill.report.words import WORDS, headline, lead, limits, measured


def write_report(path: Path, report: Report) -> None:
    """Writes the report page, self-contained and whole or not at all.

    Args:
        path: The HTML file.
        report: The figures.

    Raises:
        UsageError: matplotlib is not installed.
        FacedistillError: The file cannot be written.
    """
    parts = [
        resolution_part(report),
        table_part(report),
        comparison_part(report),
        trade_part(report),
        score_part(report),
        pairs_part(report),
        groups_part(report),
        pareto_part(report),
        calibration_part(report),
        training_part(report),
        cards_part(report),
        part("words", "What the words mean", "", f"<dl>{fact_list(WORDS)}</dl>"),
        part("measured", "How it was measured", "", f"<dl>{fact_list(measured(report))}</dl>"),
        part("limits", "What the figures do not say", "", _bullets(report)),
    ]
    content = "\n".join(parts)
    titles = re.findall(r'<h2 id="([a-z]+)-title">([^<]+)</h2>', content)
    page = PAGE.substitute(
        title=escape(f"{report.title}: report"),
        headline=prose(headline(report)),
        lead=prose(" ".join(lead(report))),
        notes="".join(f'<p class="note" role="note">{prose(note)}</p>' for note in report.notes),
        links="".join(f'<a href="#{name}">{title}</a>' for name, title in titles),
        panels=panel_rules(max((group.count('class="panel"') for group in content.split('class="tabs"')), default=0)),
        parts=content,
    )
    write_text(path, page)


def _bullets(report: Report) -> str:
    return f'<ul class="limits">{"".join(f"<li>{prose(limit)}</li>" for limit in limits(report))}</ul>'
