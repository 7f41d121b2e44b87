"""Faces as a lesson: the teacher's word on them, and how a net that learns them is judged, exported and tested."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facedistill.backbones import embed_crops, load_backbone
from facedistill.datasets import FaceSet
from facedistill.evaluation import calibrate, evaluate, sweep
from facedistill.evaluation.calibration import as_metadata
from facedistill.export import export_model
from facedistill.model_file import NATIVE, ModelMetadata
from facedistill.recipe import HELD_OUT, Recipe, TeacherRecipe
from facedistill.teachers import Teacher, TeacherCache, load_teacher, open_cache, parts_of, teacher_of
from facedistill.teachers.checkpoint_teacher import CheckpointTeacher
from facedistill.training import BEST
from facedistill.training.loop import Embed, Validate
from facedistill.training.setup import (
    TrainingFaces,
    check_features,
    needs_features,
    open_training_faces,
    teacher_crops,
    with_embedding_size,
)
from facedistill.training.targets import (
    CachedTargets,
    CombinedTargets,
    FeatureTargets,
    OnlineTargets,
    TeacherInput,
    TeacherTargets,
)
from facedistill.training.task import Task

_VALIDATED_AT = 16  # rows: where cameras leave little, and where ORL still tells nets apart
_PARITY_FACES = 64
_SOFT_LABEL_SCALE = 30.0  # for a head without a scale of its own: AM-Softmax's


@dataclass(frozen=True)
class FaceWorkload:
    """Who is who: a `training.workload.Workload`, and what a search asks of it besides.

    Attributes:
        faces: Three groups of people without a common member.
        teacher: None when labels alone teach.
        stores: What it said of those who are trained on, one for each teacher.
    """

    faces: TrainingFaces
    teacher: Teacher | None = None
    stores: tuple[TeacherCache, ...] = ()

    @property
    def pictures(self) -> FaceSet:
        """Those who are trained on."""
        return self.faces.train

    def resolved(self, recipe: Recipe) -> Recipe:
        """See `check_student`."""
        return check_student(recipe, self.teacher)

    def word(self, recipe: Recipe, task: Task) -> TeacherTargets:
        """The teacher's embeddings, logits on the scale of the student's head, and maps where a loss asks for them."""
        # A sharded head's student gives no logits to compare with.
        scale = None if recipe.head.sharded else getattr(task.head, "scale", _SOFT_LABEL_SCALE)
        assert self.teacher is not None, "a recipe that distils has a teacher"
        words = [
            self._word_of(recipe, *each, scale)
            for each in zip(recipe.all_teachers, parts_of(self.teacher), self.stores, strict=True)
        ]
        return words[0] if len(words) == 1 else CombinedTargets(words, [said.weight for said in recipe.all_teachers])

    def _word_of(
        self, recipe: Recipe, said: TeacherRecipe, teacher: Teacher, store: TeacherCache, scale: float | None
    ) -> TeacherTargets:
        faces = self.faces.train
        knowledge = CachedTargets(store.embeddings, faces.labels, faces.classes, said.centred, scale)
        if said.stored and not needs_features(recipe):
            return knowledge
        size = teacher.input_size
        view = None if said.sees == "student" else teacher_crops(recipe.data, faces, size, said.own_crop)
        if isinstance(teacher, CheckpointTeacher):
            return FeatureTargets(knowledge, teacher.backbone, TeacherInput(view, size), anew=not said.stored)
        return OnlineTargets(knowledge, teacher, TeacherInput(view, size))

    def validator(self, task: Task) -> Validate | None:
        """Equal error rates of the validation people at native size and at 16 rows."""
        if self.faces.validation is None:
            return None

        def validate(embed: Embed) -> Mapping[str, float]:
            cells = self.cells(task, embed, (_VALIDATED_AT,))
            return {f"eer_{at}": cells[at]["eer"] for at in (NATIVE, str(_VALIDATED_AT))}

        return validate

    def cells(self, _task: Task, embed: Embed, resolutions: Sequence[int]) -> Mapping[str, Mapping[str, Any]]:
        """How a net tells the validation people apart: resolution -> the cell of a sweep (see `evaluation.sweep`)."""
        assert self.faces.validation is not None, "a recipe without validation people was refused"
        return sweep(embed, self.faces.validation, resolutions, bootstrap=0)

    def write_untrained(self, task: Task, path: Path) -> None:
        """Writes the model file of a net as it stands, to learn what it costs."""
        backbone = task.backbone
        metadata = ModelMetadata("untrained", backbone.input_size, backbone.embedding_size)
        export_model(backbone, path, metadata, some_crops(self.faces.train))

    def write_best(self, recipe: Recipe, path: Path) -> None:
        """Writes the model file of a finished run, calibrated on the validation people."""
        export_net(recipe, self.faces, path, recipe.data.faces, self.faces.validation)

    def test(self, recipe: Recipe, path: Path) -> dict[str, Any]:
        """The sweep of a model file over the recipe's test set."""
        return final_sweep(recipe, self.faces, load_teacher(path).embed)


def open_face_workload(recipe: Recipe, folder: Path) -> FaceWorkload:
    """Loads the teacher, opens the faces, and asks the one about the others; the answers are kept in `folder`.

    Raises:
        UsageError: The teacher or the faces do not fit the recipe.
        FacedistillError: See `open_cache`.
    """
    teacher = teacher_of(recipe) if recipe.distils else None
    check_student(recipe, teacher)
    faces = open_training_faces(recipe.data, recipe.student.input_size)
    return FaceWorkload(faces, teacher, cache_teacher_targets(teacher, recipe, faces, folder) if teacher else ())


def check_student(recipe: Recipe, teacher: Teacher | None) -> Recipe:
    """The recipe with an embedding size; refuses what student and teacher cannot compare, before any face is read.

    Raises:
        UsageError: Names the loss.
    """
    recipe = with_embedding_size(recipe, teacher.embedding_size if teacher else None)
    if isinstance(teacher, CheckpointTeacher):
        check_features(recipe, teacher.backbone)
    return recipe


def cache_teacher_targets(
    teacher: Teacher, recipe: Recipe, faces: TrainingFaces, folder: Path
) -> tuple[TeacherCache, ...]:
    """What each teacher of the recipe says of those who are trained on.

    Args:
        teacher: See `teacher_of`.
        recipe: Says how each is shown the faces.
        faces: The faces.
        folder: Where the first one's word is kept; that of the others is beside it, FOLDER-2, ...

    Raises:
        UsageError: See `teacher_crops`.
        FacedistillError: See `open_cache`.
    """
    stores = []
    for number, (said, part) in enumerate(zip(recipe.all_teachers, parts_of(teacher), strict=True), start=1):
        view = teacher_crops(recipe.data, faces.train, part.input_size, said.own_crop)
        own = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        stores.append(open_cache(part, view, own))
    return tuple(stores)


def export_net(recipe: Recipe, faces: TrainingFaces, out: Path, source: str, others: FaceSet | None) -> float:
    """Writes the model file of a run's best net.

    Args:
        recipe: The run's.
        faces: What it was trained on.
        out: The model file.
        source: The set that `others` are from, in words.
        others: Whom to calibrate on, none of them trained on; None calibrates nothing.

    Returns:
        The largest difference to torch's embeddings, see `export_model`.
    """
    backbone = load_backbone(recipe.folder / BEST)
    calibrated: dict[str, Any] = {}
    calibration = "not calibrated: the recipe keeps no people for validation"
    if others is not None:
        calibrated = as_metadata(calibrate(partial(embed_crops, backbone), others))
        calibration = f"on {len(others)} pictures of {others.classes} people of {source} that were not trained on"
    metadata = ModelMetadata(
        name=recipe.name,
        crop_size=recipe.student.input_size,
        embedding_size=backbone.embedding_size,
        **calibrated,
        calibration=calibration,
        data_digest=faces.train.digest,
        recipe_digest=recipe.digest,
        licence=recipe.licence,
    )
    return export_model(backbone, out, metadata, some_crops(faces.validation or faces.train))


def some_crops(faces: FaceSet) -> NDArray[np.uint8]:
    """Enough faces of a set to hold an exported net against the trained one: uint8 [B, H, W, 3]."""
    return np.stack([faces[i].image for i in range(min(_PARITY_FACES, len(faces)))])


def final_sweep(recipe: Recipe, faces: TrainingFaces, embed: Embed) -> dict[str, Any]:
    """The sweep of a net over the recipe's test set."""
    if recipe.test == HELD_OUT:
        assert faces.held_out is not None, "the recipe was checked"
        return dict(sweep(embed, faces.held_out, failed=faces.failed))
    (result,) = evaluate(embed, recipe.test, recipe.student.input_size).values()
    return dict(result)
