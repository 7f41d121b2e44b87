"""Evaluating a net: verification, identification, the resolution sweep, and the protocols of the field."""

from facedistill.evaluation.cache import CachedEmbeddings, cached_embeddings
from facedistill.evaluation.calibration import Calibration, calibrate
from facedistill.evaluation.failures import failure_rate, generalised_fmr, generalised_fnmr
from facedistill.evaluation.identification import IdentificationResult, identify
from facedistill.evaluation.mcnemar import McNemar, mcnemar
from facedistill.evaluation.pairwise import score_all_pairs, score_cross
from facedistill.evaluation.protocols import evaluate
from facedistill.evaluation.results import Result, figure_table, percent
from facedistill.evaluation.search import SearchFigures, SearchMetric
from facedistill.evaluation.streaming import ErrorBound, VerificationFigures, VerificationMetric
from facedistill.evaluation.sweep import SweepResult, sweep
from facedistill.evaluation.trials import Cell
from facedistill.evaluation.uncertainty import Comparison, Estimate, bootstrap, compare
from facedistill.evaluation.verification import VerificationResult, verify_pairs

__all__ = [
    "CachedEmbeddings",
    "Calibration",
    "Cell",
    "Comparison",
    "ErrorBound",
    "Estimate",
    "IdentificationResult",
    "McNemar",
    "Result",
    "SearchFigures",
    "SearchMetric",
    "SweepResult",
    "VerificationFigures",
    "VerificationMetric",
    "VerificationResult",
    "bootstrap",
    "cached_embeddings",
    "calibrate",
    "compare",
    "evaluate",
    "failure_rate",
    "figure_table",
    "generalised_fmr",
    "generalised_fnmr",
    "identify",
    "mcnemar",
    "percent",
    "score_all_pairs",
    "score_cross",
    "sweep",
    "verify_pairs",
]
