"""Training: a task, a loop, checkpoints, and the folder of a run."""

from facedistill.training.checkpoint import BEST, LAST
from facedistill.training.loop import FitResult, InterruptedRunError, fit

__all__ = ["BEST", "LAST", "FitResult", "InterruptedRunError", "fit"]
