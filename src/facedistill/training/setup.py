"""From a recipe to the faces and the task; everything that can be refused without data is refused first."""

from dataclasses import dataclass
from pathlib import Path

import torch

from facedistill.backbones import Backbone, build_backbone
from facedistill.datasets import FaceSet, Subset, align_faces, load_orl, open_face_set, split_identities
from facedistill.errors import UsageError
from facedistill.files import cache_folder
from facedistill.heads import Head, build_head
from facedistill.losses import DistillationLoss, build_loss
from facedistill.recipe import HARD, DataRecipe, Recipe, SynthRecipe
from facedistill.training.own_module import GivenScores, OwnModule, find_factory
from facedistill.training.task import Task
from facedistill.variance import Variance, build_variance

ORL, SYNTH = "orl", "synth"


@dataclass(frozen=True)
class TrainingFaces:
    """Three groups of people without a common member.

    Attributes:
        train: Whom the net is trained on.
        validation: Whom checkpoints and thresholds are chosen on; None when nobody is kept for it.
        held_out: Whom the result is tested on; None when nobody is kept for it.
        failed: Pictures in which no face was found.
    """

    train: Subset
    validation: Subset | None
    held_out: Subset | None
    failed: int


def open_training_faces(recipe: DataRecipe, size: tuple[int, int]) -> TrainingFaces:
    """Opens the face set, aligned to crops of `size` (height, width), and parts its people.

    Raises:
        UsageError: The set's crops have another size, or too few people are left to train on.
    """
    failed = 0
    faces: FaceSet
    if recipe.faces == ORL:
        aligned = align_faces(load_orl(), size)
        faces, failed = aligned.faces, len(aligned.failed)
    elif recipe.faces == SYNTH:
        faces = open_face_set(_synthetic_people(recipe.synth, size))
    else:
        faces = open_face_set(recipe.faces)
    if faces.size != size:
        raise UsageError(
            f"the crops in {recipe.faces} are {faces.size[0]}x{faces.size[1]} but student.input_size is "
            f"{size[0]}x{size[1]}; prepare the photos in that size, or change student.input_size"
        )
    kept = recipe.held_out_identities + recipe.validation_identities
    left = faces.classes - kept
    if left < 2:
        raise UsageError(
            f"{recipe.faces} has {faces.classes} people, of whom data.held_out_identities and "
            f"data.validation_identities keep {kept}; at least 2 must be left to train on"
        )
    held_out, validation, train = split_identities(
        faces, (recipe.held_out_identities, recipe.validation_identities, left), seed=recipe.split_seed
    )
    return TrainingFaces(train, validation if len(validation) else None, held_out if len(held_out) else None, failed)


def _synthetic_people(recipe: SynthRecipe, size: tuple[int, int]) -> Path:
    """The folder of the rendered set; rendered now when it is not there or not finished."""
    from facedistill.synth.dataset import PICTURES_VERSION, write_synthetic  # compiles kernels: only when needed

    name = f"{recipe.identities}x{recipe.images}-{size[0]}x{size[1]}-{recipe.seed}{'-day' * recipe.same_day}"
    folder = cache_folder() / f"people-{PICTURES_VERSION}-{name}"
    write_synthetic(folder, recipe.identities, recipe.images, recipe.seed, size, same_day=recipe.same_day)
    return folder


def check_names(recipe: Recipe) -> None:
    """Builds all that needs no data, so that a wrong name or option is refused before anything is loaded.

    Raises:
        UsageError: Names the field and what is known.
    """
    recipe.check()
    build_variances(recipe)
    losses = _build_losses(recipe)
    if recipe.student.module is not None:
        find_factory(recipe.student.module)
    else:
        with torch.device("meta"):
            _build_net(recipe, classes=2, embedding_size=recipe.student.embedding_size or 128)
    for name, loss in losses.items():
        if "embedding" in loss.needs and recipe.student.module is not None:
            raise UsageError(f"recipe: losses.{name} compares embeddings, but student.module gives class scores alone")
        if "features" in loss.needs:
            raise UsageError(
                f"recipe: losses.{name} compares feature maps, which a teacher's stored word does not hold; "
                "set its option `on: embedding` where it has one, or leave it out"
            )


def build_variances(recipe: Recipe) -> list[Variance]:
    """What the student is shown and the teacher is not."""
    return [build_variance(step.name, **step.options) for step in recipe.variance]


def build_task(recipe: Recipe, classes: int) -> Task:
    """The student, its head and losses, with initial weights that follow from the recipe's seed.

    The backbone and head are made first, so the control starts from the very same weights.
    """
    torch.manual_seed(recipe.seed)
    if recipe.student.embedding_size is None:
        raise UsageError("recipe: student.embedding_size is not decided; it is the teacher's, or must be given")
    backbone, head = _build_net(recipe, classes, recipe.student.embedding_size)
    return Task(backbone, head, _build_losses(recipe), {name: term.weight for name, term in recipe.losses.items()})


def _build_net(recipe: Recipe, classes: int, embedding_size: int) -> tuple[Backbone, Head]:
    net = recipe.student
    if net.module is not None:
        return OwnModule(net.module, classes, net.input_size), GivenScores(classes)
    backbone = build_backbone(
        net.backbone,
        embedding_size=embedding_size,
        input_size=net.input_size,
        width=net.width,
        se=net.se,
        activation=net.activation,
    )
    return backbone, build_head(recipe.head.name, embedding_size, classes, **recipe.head.options)


def _build_losses(recipe: Recipe) -> dict[str, DistillationLoss]:
    return {name: build_loss(name, **term.options) for name, term in recipe.losses.items() if name != HARD}
