"""The section of a recipe that distils an image classifier in the place of a face recogniser."""

from dataclasses import dataclass, field

from facedistill.errors import UsageError
from facedistill.recipe.sections import NetRecipe


@dataclass
class ClassificationRecipe:
    """An ordinary image classifier in the place of a face recogniser; `data.faces`, `teacher` and `test` are not used.

    Attributes:
        pictures: A folder for each class with pictures of any size; or `digits` for the 1797 handwritten digits that
            scikit-learn ships.
        held_out: Share of each class that is kept for the test; never trained on, never used to choose anything.
        validation: Share of each class that chooses the best checkpoint.
        teacher: The larger net; it is trained first, by labels alone, on the same pictures.
        teacher_steps: Batches it is trained on; None takes `steps`.
        seeds: How often student and control are trained, with the seeds `seed`, `seed + 1`, ...
    """

    pictures: str = "digits"
    held_out: float = 0.3
    validation: float = 0.1
    teacher: NetRecipe = field(default_factory=NetRecipe)
    teacher_steps: int | None = None
    seeds: int = 3

    def check(self, student: NetRecipe) -> None:
        """Refuses what cannot work with this student."""
        if self.held_out + self.validation >= 1:
            raise UsageError("recipe: classification.held_out and classification.validation leave nothing to train on")
        if self.teacher.input_size != student.input_size:
            raise UsageError(
                f"recipe: classification.teacher.input_size is {list(self.teacher.input_size)} but "
                f"student.input_size is {list(student.input_size)}; both nets are shown the same pictures, so write "
                "the same size"
            )
