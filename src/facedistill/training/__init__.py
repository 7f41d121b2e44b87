"""Training: a task, a loop, checkpoints, and the folder of a run."""

from facedistill.training.checkpoint import BEST, LAST
from facedistill.training.loop import FitResult, Interrupted, fit

__all__ = ["BEST", "LAST", "FitResult", "Interrupted", "fit"]
