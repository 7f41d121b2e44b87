"""A workload: the pictures to train on, their teacher targets, and how a net is validated on others."""

from typing import Protocol

import torch

from facedistill.datasets import FaceSet
from facedistill.recipe import Recipe
from facedistill.training.data import AugmentedFaces
from facedistill.training.loop import FitResult, Objective, Validate, fit, mean_figure
from facedistill.training.memory import out_of_memory
from facedistill.training.run_folder import open_run_folder
from facedistill.training.targets import TeacherTargets
from facedistill.training.task import Task


class Workload(Protocol):
    """What faces and ordinary pictures differ in for the training; opened once."""

    @property
    def pictures(self) -> FaceSet:
        """The training pictures."""

    def resolved(self, recipe: Recipe) -> Recipe:
        """The recipe with an embedding size.

        Raises:
            UsageError: A loss cannot compare this student with this teacher.
        """

    def augmented(self, recipe: Recipe) -> AugmentedFaces:
        """What the student is shown of the training pictures, and a teacher whose input is the view."""

    def teacher_targets(self, recipe: Recipe, task: Task) -> TeacherTargets:
        """The teacher's outputs for the training pictures; called only where the recipe distils."""

    def observer(self, recipe: Recipe, task: Task) -> Validate | None:
        """Named figures that are logged beside those of the validation and decide nothing; None for none."""

    def validator(self, task: Task) -> Validate | None:
        """Named figures, lower is better; None when nothing is kept for validation."""


def train(
    workload: Workload, recipe: Recipe, task: Task, validate: Validate | None = None, objective: Objective = mean_figure
) -> FitResult:
    """Trains `task` on a workload in the recipe's run folder; goes on where an earlier call stopped.

    Args:
        workload: What is trained on.
        recipe: Resolved by the workload.
        task: Built from the recipe by `build_task`.
        validate: Instead of the workload's own validator.
        objective: See `fit`.

    Raises:
        UsageError: The folder holds another recipe's run.
        FacedistillError: See `fit`; or the device is out of memory, with a batch size that fits.
    """
    folder = open_run_folder(recipe)
    task.targets = workload.teacher_targets(recipe, task) if recipe.distils else None
    validate = validate or workload.validator(task)
    observe = workload.observer(recipe, task)
    augmented = workload.augmented(recipe)
    try:
        return fit(task, augmented, recipe, folder, validate, objective, observe)
    except torch.OutOfMemoryError:
        pass  # the error holds what filled the memory; only without it can another size be tried
    raise out_of_memory(task, augmented, recipe)
