"""Training on faces: the teacher's targets for them, and how a net is validated, priced, exported and tested."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets import FaceSet
from facedistill.datasets.sources import parse_source
from facedistill.datasets.training_faces import TrainingFaces, open_training_faces
from facedistill.devices import choose_device
from facedistill.evaluation import sweep
from facedistill.evaluation.sweep import BOTH
from facedistill.export import build_exporter
from facedistill.files import cache_folder, sole_writer
from facedistill.model_file import NATIVE, ModelMetadata
from facedistill.pipelines.fidelity import Fidelity
from facedistill.pipelines.model_file import sample_crops, sweep_test_set, write_model_file
from facedistill.recipe import Recipe, TeacherRecipe
from facedistill.recipe.parts import build_variances, build_views, views_identity
from facedistill.recipe.resolve import needs, resolve
from facedistill.teachers import (
    Teacher,
    TeacherCache,
    load_teacher,
    load_teachers,
    open_cache,
    open_shown_cache,
    parts_of,
)
from facedistill.teachers.checkpoint_teacher import CheckpointTeacher
from facedistill.training.data import AugmentedFaces, collate
from facedistill.training.loop import Embed, Validate
from facedistill.training.targets import (
    BatchInput,
    CachedTargets,
    CombinedTargets,
    FeatureTargets,
    FixedViewTargets,
    OnlineTargets,
    StoredInput,
    TargetSpace,
    TeacherInput,
    TeacherTargets,
    mean_embedding,
)
from facedistill.training.task import Task
from facedistill.training.viewed import FixedViews, ViewedFaces

_VALIDATED_AT = 16  # rows: where cameras leave little, and where nets still differ on ORL
_MEAN_VIEWS, _MEAN_BLOCK = 1024, 64
_FAR = 1 << 50  # positions that no run reaches
_SOFT_LABEL_SCALE = 30.0  # for a head without a scale of its own: AM-Softmax's


@dataclass(frozen=True)
class FaceWorkload:
    """Faces to train on: a `training.workload.Workload`, and what a search needs besides.

    Attributes:
        faces: Three groups of people without a common member.
        teacher: None when labels alone train the net.
        caches: The embeddings of the training faces, one cache for each teacher; None where no target is made of them.
    """

    faces: TrainingFaces
    teacher: Teacher | None = None
    caches: tuple[TeacherCache | None, ...] = ()

    @property
    def pictures(self) -> FaceSet:
        """The training faces."""
        return self.faces.train

    def augmented(self, recipe: Recipe) -> AugmentedFaces:
        """The faces as the recipe's views and variance show them."""
        variances, seed = build_variances(recipe), recipe.seed
        sizes = _view_sizes(recipe, self.teacher)
        mirror, growing = recipe.data.mirror, self.faces.growing
        if not recipe.views and not sizes:
            return AugmentedFaces(self.pictures, variances, mirror, seed, growing)
        widest = max((size for size, _ in sizes), default=None)
        stored = parse_source(recipe.data.faces).widest(self.faces.train, widest, recipe.data.synth)
        shown = max((size for size, online in sizes if online), default=None)
        return ViewedFaces(
            self.pictures,
            stored,
            build_views(recipe),
            variances,
            mirror,
            seed,
            teacher_size=shown,
            fixed=recipe.fixed_views,
            growing=growing,
        )

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
        self, recipe: Recipe, settings: TeacherRecipe, teacher: Teacher, cache: TeacherCache | None, scale: float | None
    ) -> TeacherTargets:
        faces, size = self.faces.train, teacher.input_size
        mean = None
        viewed = self.cached_views(recipe, teacher) if settings.views else None
        if settings.input == "view" and settings.centred:
            mean = _mean_over_views(teacher, replace(self, faces=self.faces.initial).augmented(recipe))
        elif viewed is not None and settings.centred:
            mean = mean_embedding(viewed.embeddings)
        cached = None
        if cache is not None:
            cached = CachedTargets(cache.embeddings, faces.labels, faces.classes, settings.centred, scale, mean)
        space = TargetSpace(np.zeros(teacher.embedding_size, np.float32) if mean is None else mean)
        space = space if cached is None else cached.space
        if viewed is not None:
            return FixedViewTargets(viewed.embeddings, space)
        online = settings.input != "original"
        if not online and not needs(recipe, "features"):
            assert cached is not None, "a teacher of original faces has its cache"
            return cached
        shown: TeacherInput = BatchInput(size)
        if not online:
            shown = StoredInput(_teacher_crops(recipe, self.faces, size, settings.own_crop), size)
        if isinstance(teacher, CheckpointTeacher):
            return FeatureTargets(space, teacher.backbone, shown, None if online else cached)
        return OnlineTargets(space, teacher, shown)

    def cached_views(self, recipe: Recipe, teacher: Teacher) -> TeacherCache:
        """A teacher's embeddings of the fixed views of the training faces, in the user's cache folder.

        All runs of the same teacher, faces, views and seed share them; computed where they are not there yet.

        Raises:
            FacedistillError: See `open_shown_cache`.
        """
        faces = self.augmented(recipe)
        assert isinstance(faces, ViewedFaces), "a recipe with fixed views has views"
        shown = FixedViews(faces, teacher.input_size, views_identity(recipe))
        name = hashlib.sha256(f"{teacher.digest} {shown.digest}".encode()).hexdigest()[:32]
        folder = cache_folder() / "teacher-views" / name
        with sole_writer(folder, wait=True):
            return open_shown_cache(teacher, shown, folder)

    def cache_all_views(self, recipe: Recipe) -> None:
        """Computes what `cached_views` gives, before the training needs it."""
        assert self.teacher is not None, "a recipe that distils has a teacher"
        for settings, teacher in zip(recipe.all_teachers, parts_of(self.teacher), strict=True):
            if settings.views:
                self.cached_views(recipe, teacher)

    def observer(self, recipe: Recipe, task: Task) -> Validate | None:
        """The fidelity of a student that is compared with one teacher on views, with embeddings as long as its own.

        None for other runs.
        """
        on_views = recipe.teacher.input == "view" or recipe.teacher.views
        if not isinstance(task.targets, OnlineTargets | FeatureTargets | FixedViewTargets) or not on_views:
            return None
        assert self.teacher is not None, "targets have a teacher"
        if task.backbone.embedding_size != self.teacher.embedding_size:
            return None
        source, size = parse_source(recipe.data.faces), self.teacher.input_size
        kept = self.faces.validation
        rendered = None if kept is None else source.widest(kept, size, recipe.data.synth)
        return Fidelity(self.teacher, task.targets.space, rendered, recipe.student.input_size, build_views(recipe))

    def validator(self, task: Task) -> Validate | None:
        """Equal error rates of the validation people at native size, and at 16 rows both, as the product compares."""
        if self.faces.validation is None:
            return None

        def validate(embed: Embed) -> Mapping[str, float]:
            cells = self.cells(task, embed, (_VALIDATED_AT,))
            small = str(_VALIDATED_AT)
            return {"eer_native": cells[NATIVE]["eer"], f"eer_matched_{small}": cells[BOTH][small]["eer"]}

        return validate

    def cells(self, _task: Task, embed: Embed, resolutions: Sequence[int]) -> Mapping[str, Mapping[str, Any]]:
        """How a net verifies the validation people: resolution -> the cell of a sweep (see `evaluation.sweep`)."""
        assert self.faces.validation is not None, "a recipe without validation people was refused"
        return sweep(embed, self.faces.validation, resolutions, bootstrap=0).to_json()

    def write_untrained(self, task: Task, path: Path) -> None:
        """Writes the model file of a net as it stands, to measure what it costs."""
        backbone = task.backbone
        metadata = ModelMetadata("untrained", backbone.input_size, backbone.embedding_size)
        build_exporter("onnx").write(backbone, path, metadata, sample_crops(self.faces.initial.train))

    def write_best(self, recipe: Recipe, path: Path) -> None:
        """Writes the model file of a finished run, calibrated on the validation people."""
        write_model_file(recipe, self.faces, path, recipe.data.faces, self.faces.validation)

    def test(self, recipe: Recipe, path: Path) -> dict[str, Any]:
        """The sweep of a model file over the recipe's test set."""
        return sweep_test_set(recipe, self.faces, load_teacher(path, device="auto").embed)


def open_face_workload(recipe: Recipe, folder: Path) -> FaceWorkload:
    """Loads the teacher, opens the faces and computes the teacher's embeddings, which are cached in `folder`.

    Raises:
        UsageError: The teacher or the faces do not fit the recipe.
        FacedistillError: See `open_cache`.
    """
    teacher = load_teachers(recipe.all_teachers, choose_device(recipe.device)) if recipe.distils else None
    resolve_student(recipe, teacher)
    faces = open_training_faces(recipe.data, recipe.student.input_size).readable()
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
) -> tuple[TeacherCache | None, ...]:
    """The embeddings of the training faces by each teacher of the recipe, computed where they are not cached yet.

    None for a teacher that is shown views, unless a loss compares logits, which need its class centres.

    Args:
        teacher: See `load_teachers`.
        recipe: Says which crops each teacher gets.
        faces: The faces.
        folder: The first teacher's cache; those of the others are beside it, FOLDER-2, ...

    Raises:
        UsageError: See `Source.crops_for_teacher`; or a teacher's crop of a view does not fit into the stored one.
        FacedistillError: See `open_cache`.
    """
    FaceWorkload(faces, teacher).augmented(recipe)  # refuses what does not fit before a teacher works for hours
    caches: list[TeacherCache | None] = []
    for number, (settings, part) in enumerate(zip(recipe.all_teachers, parts_of(teacher), strict=True), start=1):
        if (settings.input == "view" or settings.views) and not needs(recipe, "logits"):
            caches.append(None)
            continue
        crops = _teacher_crops(recipe, faces, part.input_size, settings.own_crop)
        caches.append(open_cache(part, crops, folder if number == 1 else folder.with_name(f"{folder.name}-{number}")))
    return tuple(caches)


def _view_sizes(recipe: Recipe, teacher: Teacher | None) -> list[tuple[tuple[int, int], bool]]:
    """(height, width) of the crops of those teachers that are shown views, and whether they are at every step."""
    if teacher is None or not recipe.distils:
        return []
    pairs = zip(recipe.all_teachers, parts_of(teacher), strict=True)
    return [(part.input_size, not each.views) for each, part in pairs if each.input == "view" or each.views]


def _mean_over_views(teacher: Teacher, shown: AugmentedFaces) -> NDArray[np.float32]:
    """The mean unit embedding float32 [D] of some views that the run itself does not show."""
    rng = np.random.default_rng(shown.seed)
    total = np.zeros(teacher.embedding_size)
    for first in range(0, _MEAN_VIEWS, _MEAN_BLOCK):
        places = range(_FAR + first, _FAR + first + _MEAN_BLOCK)
        samples = [shown[position, int(rng.integers(len(shown.faces)))] for position in places]
        embeddings = teacher.embed(BatchInput(teacher.input_size).crops(collate(samples)).numpy())
        total += (embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)).sum(axis=0)
    return np.asarray(total / _MEAN_VIEWS, np.float32)


def _teacher_crops(recipe: Recipe, faces: TrainingFaces, size: tuple[int, int], own_crop: bool) -> FaceSet:
    source = parse_source(recipe.data.faces)
    return source.crops_for_teacher(faces.train, size, own_crop, recipe.data.synth)
