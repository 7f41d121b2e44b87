"""What there is to learn: the one place in which faces and ordinary pictures differ for the training."""

from typing import Protocol

from facedistill.datasets import FaceSet
from facedistill.recipe import Recipe
from facedistill.recipe.parts import build_variances
from facedistill.training.data import AugmentedFaces
from facedistill.training.loop import FitResult, Objective, Validate, fit, mean_figure
from facedistill.training.run_folder import open_run_folder
from facedistill.training.targets import TeacherTargets
from facedistill.training.task import Task


class Workload(Protocol):
    """Pictures to learn from, the teacher's word on them, and the figures by which a net is judged; opened once."""

    @property
    def pictures(self) -> FaceSet:
        """What is trained on."""

    def resolved(self, recipe: Recipe) -> Recipe:
        """The recipe with an embedding size.

        Raises:
            UsageError: A loss cannot compare this student with this teacher.
        """

    def teacher_targets(self, recipe: Recipe, task: Task) -> TeacherTargets:
        """What the teacher said; asked for only where the recipe distils."""

    def validator(self, task: Task) -> Validate | None:
        """Named figures, lower is better; None when nothing is kept for validation."""


def train(
    lesson: Workload, recipe: Recipe, task: Task, validate: Validate | None = None, objective: Objective = mean_figure
) -> FitResult:
    """Trains `task` by a lesson in the recipe's run folder; goes on where a former session stopped.

    Args:
        lesson: What there is to learn.
        recipe: Resolved by the lesson.
        task: Built from the recipe by `build_task`.
        validate: In the place of the lesson's own validator.
        objective: See `fit`.

    Raises:
        UsageError: The folder holds another recipe's run.
        FacedistillError: See `fit`.
    """
    folder = open_run_folder(recipe)
    word = lesson.teacher_targets(recipe, task) if recipe.distils else None
    shown = AugmentedFaces(lesson.pictures, build_variances(recipe), recipe.data.mirror, recipe.seed)
    return fit(task, shown, word, recipe, folder, validate or lesson.validator(task), objective)
