"""Training: a task, a loop, checkpoints, and the folder of a run."""

from facedistill.training.checkpoint import BEST, LAST
from facedistill.training.lesson import Lesson, teach
from facedistill.training.loop import DivergedRunError, FitResult, InterruptedRunError, fit

__all__ = ["BEST", "LAST", "DivergedRunError", "FitResult", "InterruptedRunError", "Lesson", "fit", "teach"]
