"""The report: figures of finished runs as one HTML page, as JSON and as a table."""

from facedistill.report.figures import Model, Report
from facedistill.report.page import write_report
from facedistill.report.tables import markdown_table, summary_table

__all__ = ["Model", "Report", "markdown_table", "summary_table", "write_report"]
