"""The loop "train, validate, and if it misses the standard go back to the loss" (Hinton et al. 2015), as a search."""

from facedistill.search.report import Report, front_table, verdict
from facedistill.search.run import search
from facedistill.search.standard import Standard, parse_standard

__all__ = ["Report", "Standard", "front_table", "parse_standard", "search", "verdict"]
