"""The report: figures of finished runs as one HTML page, as JSON and as a table."""

from facedistill.evaluation.report.figures import Model, Report
from facedistill.evaluation.report.page import write_report
from facedistill.evaluation.report.tables import markdown_table, summary_table, sweep_table

__all__ = ["Model", "Report", "markdown_table", "summary_table", "sweep_table", "write_report"]
