"""Training: a task, a loop, checkpoints, and the folder of a run."""

from facedistill.training.checkpoint import BEST, LAST
from facedistill.training.loop import DivergedRunError, FitResult, InterruptedRunError, fit
from facedistill.training.workload import Workload, train

__all__ = ["BEST", "LAST", "DivergedRunError", "FitResult", "InterruptedRunError", "Workload", "fit", "train"]
