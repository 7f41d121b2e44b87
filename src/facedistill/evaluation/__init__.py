"""Judging a net: verification, identification, the resolution sweep, and the report of what came out."""

from facedistill.evaluation.calibration import Calibration, calibrate
from facedistill.evaluation.identification import IdentificationResult, identify
from facedistill.evaluation.protocols import evaluate
from facedistill.evaluation.sweep import sweep
from facedistill.evaluation.verification import VerificationResult, verify_pairs

__all__ = [
    "Calibration",
    "IdentificationResult",
    "VerificationResult",
    "calibrate",
    "evaluate",
    "identify",
    "sweep",
    "verify_pairs",
]
