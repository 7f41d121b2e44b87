"""What a search needs of a workload besides its training."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from facedistill.recipe import Recipe
from facedistill.training import Workload
from facedistill.training.loop import Embed
from facedistill.training.task import Task


class SearchableWorkload(Workload, Protocol):
    """A workload whose nets can be priced, exported and tested."""

    def cells(self, task: Task, embed: Embed, resolutions: Sequence[int]) -> Mapping[str, Mapping[str, Any]]:
        """`native` and each number of rows -> metric -> value, on the validation pictures."""

    def write_untrained(self, task: Task, path: Path) -> None:
        """Writes the model file of a net as it stands."""

    def write_best(self, recipe: Recipe, path: Path) -> None:
        """Writes the model file of a finished run."""

    def test(self, recipe: Recipe, path: Path) -> dict[str, Any]:
        """The figures of a run's model file on the test pictures."""


def open_workload(recipe: Recipe, folder: Path) -> SearchableWorkload:
    """The workload of a recipe for faces, or of one for an image classifier; its teacher is kept in `folder`."""
    if recipe.classification is None:
        from facedistill.pipelines.face_workload import open_face_workload

        return open_face_workload(recipe, folder)
    from facedistill.pipelines.classifier_workload import open_classifier_workload

    return open_classifier_workload(recipe, folder)
