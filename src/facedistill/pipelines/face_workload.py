"""Training on faces: the teacher's targets for them, and how a net is validated, priced, exported and tested."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facedistill.datasets import FaceSet
from facedistill.datasets.sources import parse_source
from facedistill.datasets.training_faces import TrainingFaces, open_training_faces
from facedistill.evaluation import sweep
from facedistill.export import build_exporter
from facedistill.model_file import NATIVE, ModelMetadata
from facedistill.pipelines.model_file import sample_crops, sweep_test_set, write_model_file
from facedistill.recipe import Recipe, TeacherRecipe
from facedistill.recipe.resolve import needs_features, resolve
from facedistill.teachers import Teacher, TeacherCache, load_teacher, load_teachers, open_cache, parts_of
from facedistill.teachers.checkpoint_teacher import CheckpointTeacher
from facedistill.training.loop import Embed, Validate
from facedistill.training.targets import (
    CachedTargets,
    CombinedTargets,
    FeatureTargets,
    OnlineTargets,
    TeacherInput,
    TeacherTargets,
)
from facedistill.training.task import Task

_VALIDATED_AT = 16  # rows: where cameras leave little, and where nets still differ on ORL
_SOFT_LABEL_SCALE = 30.0  # for a head without a scale of its own: AM-Softmax's


@dataclass(frozen=True)
class FaceWorkload:
    """Faces to train on: a `training.workload.Workload`, and what a search needs besides.

    Attributes:
        faces: Three groups of people without a common member.
        teacher: None when labels alone train the net.
        caches: The embeddings of the training faces, one cache for each teacher.
    """

    faces: TrainingFaces
    teacher: Teacher | None = None
    caches: tuple[TeacherCache, ...] = ()

    @property
    def pictures(self) -> FaceSet:
        """The training faces."""
        return self.faces.train

    def resolved(self, recipe: Recipe) -> Recipe:
        """See `resolve_student`."""
        return resolve_student(recipe, self.teacher)

    def teacher_targets(self, recipe: Recipe, task: Task) -> TeacherTargets:
        """The teacher's embeddings, logits on the scale of the student's head, and maps where a loss compares them."""
        # A sharded head's student gives no logits to compare with.
        scale = None if recipe.head.sharded else getattr(task.head, "scale", _SOFT_LABEL_SCALE)
        assert self.teacher is not None, "a recipe that distils has a teacher"
        targets = [
            self._targets_of(recipe, *each, scale)
            for each in zip(recipe.all_teachers, parts_of(self.teacher), self.caches, strict=True)
        ]
        if len(targets) == 1:
            return targets[0]
        return CombinedTargets(targets, [settings.weight for settings in recipe.all_teachers])

    def _targets_of(
        self, recipe: Recipe, settings: TeacherRecipe, teacher: Teacher, cache: TeacherCache, scale: float | None
    ) -> TeacherTargets:
        faces = self.faces.train
        cached = CachedTargets(cache.embeddings, faces.labels, faces.classes, settings.centred, scale)
        if settings.stored and not needs_features(recipe):
            return cached
        size = teacher.input_size
        crops = None if settings.sees == "student" else _teacher_crops(recipe, self.faces, size, settings.own_crop)
        if isinstance(teacher, CheckpointTeacher):
            return FeatureTargets(cached, teacher.backbone, TeacherInput(crops, size), online=not settings.stored)
        return OnlineTargets(cached, teacher, TeacherInput(crops, size))

    def validator(self, task: Task) -> Validate | None:
        """Equal error rates of the validation people at native size and at 16 rows."""
        if self.faces.validation is None:
            return None

        def validate(embed: Embed) -> Mapping[str, float]:
            cells = self.cells(task, embed, (_VALIDATED_AT,))
            return {f"eer_{at}": cells[at]["eer"] for at in (NATIVE, str(_VALIDATED_AT))}

        return validate

    def cells(self, _task: Task, embed: Embed, resolutions: Sequence[int]) -> Mapping[str, Mapping[str, Any]]:
        """How a net verifies the validation people: resolution -> the cell of a sweep (see `evaluation.sweep`)."""
        assert self.faces.validation is not None, "a recipe without validation people was refused"
        return sweep(embed, self.faces.validation, resolutions, bootstrap=0).to_json()

    def write_untrained(self, task: Task, path: Path) -> None:
        """Writes the model file of a net as it stands, to measure what it costs."""
        backbone = task.backbone
        metadata = ModelMetadata("untrained", backbone.input_size, backbone.embedding_size)
        build_exporter("onnx").write(backbone, path, metadata, sample_crops(self.faces.train))

    def write_best(self, recipe: Recipe, path: Path) -> None:
        """Writes the model file of a finished run, calibrated on the validation people."""
        write_model_file(recipe, self.faces, path, recipe.data.faces, self.faces.validation)

    def test(self, recipe: Recipe, path: Path) -> dict[str, Any]:
        """The sweep of a model file over the recipe's test set."""
        return sweep_test_set(recipe, self.faces, load_teacher(path).embed)


def open_face_workload(recipe: Recipe, folder: Path) -> FaceWorkload:
    """Loads the teacher, opens the faces and computes the teacher's embeddings, which are cached in `folder`.

    Raises:
        UsageError: The teacher or the faces do not fit the recipe.
        FacedistillError: See `open_cache`.
    """
    teacher = load_teachers(recipe.all_teachers) if recipe.distils else None
    resolve_student(recipe, teacher)
    faces = open_training_faces(recipe.data, recipe.student.input_size)
    return FaceWorkload(faces, teacher, cache_teacher_targets(teacher, recipe, faces, folder) if teacher else ())


def resolve_student(recipe: Recipe, teacher: Teacher | None) -> Recipe:
    """The recipe with an embedding size; refuses losses that cannot compare student and teacher; reads no face.

    Raises:
        UsageError: Names the loss.
    """
    net = teacher.backbone if isinstance(teacher, CheckpointTeacher) else None
    return resolve(recipe, teacher.embedding_size if teacher else None, net)


def cache_teacher_targets(
    teacher: Teacher, recipe: Recipe, faces: TrainingFaces, folder: Path
) -> tuple[TeacherCache, ...]:
    """The embeddings of the training faces by each teacher of the recipe, computed where they are not cached yet.

    Args:
        teacher: See `load_teachers`.
        recipe: Says which crops each teacher gets.
        faces: The faces.
        folder: The first teacher's cache; those of the others are beside it, FOLDER-2, ...

    Raises:
        UsageError: See `Source.crops_for_teacher`.
        FacedistillError: See `open_cache`.
    """
    caches = []
    for number, (settings, part) in enumerate(zip(recipe.all_teachers, parts_of(teacher), strict=True), start=1):
        crops = _teacher_crops(recipe, faces, part.input_size, settings.own_crop)
        caches.append(open_cache(part, crops, folder if number == 1 else folder.with_name(f"{folder.name}-{number}")))
    return tuple(caches)


def _teacher_crops(recipe: Recipe, faces: TrainingFaces, size: tuple[int, int], own_crop: bool) -> FaceSet:
    source = parse_source(recipe.data.faces)
    return source.crops_for_teacher(faces.train, size, own_crop, recipe.data.synth)
