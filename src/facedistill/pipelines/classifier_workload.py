"""Training of image classifiers: the pictures, the larger net that is trained first, and its targets for them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facedistill.backbones import embed_crops
from facedistill.backbones.checkpoint import read_checkpoint
from facedistill.datasets import FaceSet, Subset
from facedistill.datasets.classes import open_classes, split_pictures
from facedistill.errors import FacedistillError
from facedistill.export import Classifier, ClassifierMetadata, build_exporter, class_scores
from facedistill.files import file_digest
from facedistill.heads import Head
from facedistill.outputs import Outputs
from facedistill.recipe import HARD, ClassificationRecipe, LossTerm, Recipe
from facedistill.recipe.parts import build_variances
from facedistill.recipe.resolve import resolve
from facedistill.recipe.validate import validate
from facedistill.teachers import TeacherCache, open_cache
from facedistill.training import BEST
from facedistill.training import train as train_net
from facedistill.training.build import build_task
from facedistill.training.data import AugmentedFaces, Batch
from facedistill.training.loop import Embed, Validate
from facedistill.training.task import Task

_CACHE = "store"  # the folder of the teacher cache; the name that earlier versions gave it

_AT_ONCE = 256
_PARITY_PICTURES = 64


@dataclass(frozen=True)
class ClassPictureParts:
    """Three groups of pictures without a common one; every class is in each.

    Attributes:
        train: What is trained on.
        validation: What checkpoints are chosen on.
        held_out: What the result is tested on.
        names: The classes' names.
        damaged: Pictures that cannot be read and are in no group.
    """

    train: Subset
    validation: Subset
    held_out: Subset
    names: tuple[str, ...]
    damaged: int


@dataclass(frozen=True)
class ClassifierWorkload:
    """Pictures to train on: a `training.workload.Workload`, and what a search needs besides.

    Attributes:
        parts: The pictures.
        teacher: The trained larger net; None when labels alone train the net.
        cache: Its embeddings of the training pictures.
    """

    parts: ClassPictureParts
    teacher: Task | None = None
    cache: TeacherCache | None = None

    @property
    def pictures(self) -> FaceSet:
        """Those that are trained on."""
        return self.parts.train

    def resolved(self, recipe: Recipe) -> Recipe:
        """See `resolve`."""
        return resolve(recipe, self.teacher.backbone.embedding_size if self.teacher else None)

    def augmented(self, recipe: Recipe) -> AugmentedFaces:
        """The pictures, degraded as the recipe describes."""
        return AugmentedFaces(self.pictures, build_variances(recipe), recipe.data.mirror, recipe.seed)

    def teacher_targets(self, _recipe: Recipe, _task: Task) -> "ClassifierTargets":
        """The teacher's embeddings and class scores."""
        assert self.teacher is not None, "a recipe that distils has a teacher"
        assert self.cache is not None, "a teacher has its cache"
        return ClassifierTargets(self.cache.embeddings, _whole_head(self.teacher))

    def observer(self, _recipe: Recipe, _task: Task) -> None:
        """None: there is nothing to observe besides."""

    def validator(self, task: Task) -> Validate:
        """The share of validation pictures that are classified wrongly."""
        return lambda embed: {"error": 1 - _accuracy(task, embed, self.parts.validation)}

    def cells(self, task: Task, embed: Embed, _resolutions: Sequence[int]) -> Mapping[str, Mapping[str, Any]]:
        """The accuracy on the validation pictures, laid out as a sweep."""
        return {"native": {"accuracy": _accuracy(task, embed, self.parts.validation)}}

    def write_untrained(self, task: Task, path: Path) -> None:
        """Writes the ONNX file of a net as it stands, to measure what it costs."""
        self._export(task, path, "")

    def write_best(self, recipe: Recipe, path: Path) -> None:
        """Writes the ONNX file of a finished run."""
        self._export(restore(recipe, self.parts.train.classes), path, recipe.licence)

    def test(self, _recipe: Recipe, path: Path) -> dict[str, Any]:
        """The accuracy of an ONNX file on the pictures kept out."""
        right = sum(
            int((class_scores(path, pictures).argmax(axis=1) == labels).sum())
            for pictures, labels in _blocks(self.parts.held_out)
        )
        return {"accuracy": right / len(self.parts.held_out), "pictures": len(self.parts.held_out)}

    def held_out_accuracy(self, task: Task) -> float:
        """The share of the pictures kept out that a trained net classifies rightly."""
        return _accuracy(task, lambda crops: embed_crops(task.backbone, crops), self.parts.held_out)

    def _export(self, task: Task, path: Path, licence: str) -> None:
        train = self.parts.train
        pictures = np.stack([train[i].image for i in range(min(_PARITY_PICTURES, len(train)))])
        net = Classifier(task.backbone, _whole_head(task))
        build_exporter("onnx_classifier").write(net, path, ClassifierMetadata(self.parts.names, licence), pictures)


class ClassifierTargets:
    """Teacher targets of a classifier: its cached embeddings, and the class scores that its head gives for them.

    Args:
        embeddings: float32 [N, 2, D]; index 0 the picture as it is, 1 its mirror image.
        head: The teacher's.
    """

    def __init__(self, embeddings: NDArray[np.float32], head: Head) -> None:
        self._embeddings = embeddings
        self._head = head.cpu().eval().requires_grad_(requires_grad=False)

    def for_batch(self, batch: Batch) -> Outputs:
        """See `TeacherTargets`."""
        embedding = torch.from_numpy(self._embeddings[batch.indices.cpu().numpy(), batch.mirrored.long().cpu().numpy()])
        return Outputs(embedding.to(batch.crops.device), self._head.scores(embedding).to(batch.crops.device))


def open_classifier_workload(recipe: Recipe, folder: Path) -> ClassifierWorkload:
    """Opens and splits the pictures; where the recipe distils, trains its teacher in `folder` and caches its targets.

    Raises:
        UsageError: The pictures, the teacher or the student do not fit.
        FacedistillError: See `fit` and `open_cache`.
    """
    settings = section(recipe)
    validate(recipe)
    pictures = open_classes(settings.pictures, recipe.student.input_size)
    held_out, validation, train = split_pictures(
        pictures, (settings.held_out, settings.validation), recipe.data.split_seed
    )
    damaged = len(pictures) - len(held_out) - len(validation) - len(train)
    workload = ClassifierWorkload(ClassPictureParts(train, validation, held_out, pictures.people, damaged))
    if not recipe.distils:
        return workload
    first = _teacher_recipe(recipe, settings, folder)
    validate(first)
    # A student that cannot be built, or compared with this teacher, is refused before the teacher is trained.
    build_task(resolve(recipe, build_task(first, train.classes).backbone.embedding_size), train.classes)
    train_net(workload, first, build_task(first, train.classes))
    task = restore(first, train.classes)
    teacher = _ClassifierTeacher(first.name, task, file_digest(folder / BEST))
    return replace(workload, teacher=task, cache=open_cache(teacher, train, folder / _CACHE))


def restore(recipe: Recipe, classes: int) -> Task:
    """The best net of a run with its head, on the CPU.

    Raises:
        FacedistillError: The checkpoint is damaged or another net's.
    """
    path = recipe.folder / BEST
    task = build_task(recipe, classes)
    content = read_checkpoint(path)
    try:
        task.backbone.load_state_dict(content["weights"])
        task.head.load_state_dict(content["head"]["weights"])
    except (RuntimeError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise FacedistillError(f"{path} does not fit the recipe beside it ({reason}); train again") from error
    return task.eval()


@dataclass(frozen=True)
class _ClassifierTeacher:
    """A trained classifier as the teacher cache needs it: a `teachers.Teacher`."""

    name: str
    task: Task
    digest: str

    @property
    def input_size(self) -> tuple[int, int]:
        return self.task.backbone.input_size

    @property
    def embedding_size(self) -> int:
        return self.task.backbone.embedding_size

    @property
    def normalisation(self) -> str:
        return "RGB, (x - 127.5) / 128"

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        return embed_crops(self.task.backbone, crops)


def _whole_head(task: Task) -> Head:
    assert isinstance(task.head, Head), "a recipe with a sharded head was refused"
    return task.head


def section(recipe: Recipe) -> ClassificationRecipe:
    """The recipe's section on classes; the caller knows that it has one."""
    assert recipe.classification is not None, "the caller looked"
    return recipe.classification


def _teacher_recipe(recipe: Recipe, settings: ClassificationRecipe, folder: Path) -> Recipe:
    """The larger net, on the pictures as they are, by labels alone."""
    return resolve(
        replace(
            recipe,
            name=f"{recipe.name}-teacher",
            out=str(folder),
            student=settings.teacher,
            losses={HARD: LossTerm()},
            variance=[],
            control=False,
            steps=settings.teacher_steps or recipe.steps,
            search={},
        ),
        None,
    )


def _accuracy(task: Task, embed: Embed, pictures: FaceSet) -> float:
    device = next(task.parameters()).device
    right = 0
    for crops, labels in _blocks(pictures):
        with torch.inference_mode():
            scores = task.head.scores(torch.from_numpy(embed(crops)).to(device))
        right += int((scores.argmax(dim=1).cpu().numpy() == labels).sum())
    return right / len(pictures)


def _blocks(pictures: FaceSet) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    for start in range(0, len(pictures), _AT_ONCE):
        part = [pictures[i] for i in range(start, min(start + _AT_ONCE, len(pictures)))]
        yield np.stack([picture.image for picture in part]), np.array([picture.label for picture in part])
