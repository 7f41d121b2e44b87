"""From a recipe to the faces and the task; everything that can be refused without data is refused first."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from facedistill.backbones import Backbone, build_backbone
from facedistill.datasets import (
    FaceSet,
    RecroppedFaces,
    Subset,
    align_faces,
    load_orl,
    open_face_set,
    split_identities,
)
from facedistill.errors import FacedistillError, UsageError
from facedistill.faces import crop_convention, shown_share
from facedistill.files import cache_folder
from facedistill.heads import Head, ShardedHead, build_head
from facedistill.losses import DistillationLoss, build_loss
from facedistill.outputs import Outputs
from facedistill.processes import process_count
from facedistill.recipe import ALIAS_SEPARATOR, HARD, HELD_OUT, DataRecipe, HeadRecipe, NetRecipe, Recipe, SynthRecipe
from facedistill.teachers.load import CHECKPOINT_SUFFIXES, DLIB
from facedistill.teachers.start import load_start
from facedistill.training.custom_module import CustomModule, PassThroughHead, find_factory
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
        try:
            faces = RecroppedFaces(faces, size)
        except UsageError as error:
            raise UsageError(
                f"{recipe.faces}: {error}, which is student.input_size; prepare the photos in that size, "
                "or change student.input_size"
            ) from error
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


def teacher_crops(recipe: DataRecipe, train: Subset, size: tuple[int, int], own_crop: bool) -> FaceSet:
    """The faces that are trained on, as a teacher is shown them; it cuts its own crop out of what it is given.

    Args:
        recipe: Where the faces come from.
        train: The faces, as `open_training_faces` gave them.
        size: (height, width) of the teacher's crop.
        own_crop: See `TeacherRecipe`.

    Returns:
        The same faces in the same order: the student's crops where those are the teacher's too; the photos aligned
        (or rendered) anew for the teacher; or else the crops as they are stored, which may be wider than the student's.

    Raises:
        UsageError: `own_crop` is asked for where there are no photos and the stored crop lacks part of the teacher's.
    """
    if size == train.size:
        return train
    stored = train.parent.source if isinstance(train.parent, RecroppedFaces) else train.parent
    view = Subset(stored, train.indices)
    if not own_crop or shown_share(stored.size, size) == 1:
        return view
    if recipe.faces == ORL:
        view = Subset(align_faces(load_orl(), size).faces, train.indices)
    elif recipe.faces == SYNTH:
        view = Subset(open_face_set(_synthetic_people(recipe.synth, size)), train.indices)
    else:
        raise UsageError(
            f"recipe: teacher.own_crop needs photos, but {recipe.faces} holds crops of {stored.size[0]}x"
            f"{stored.size[1]}, which show {shown_share(stored.size, size):.0%} of the teacher's {size[0]}x{size[1]}; "
            "prepare the photos in that size, or leave own_crop out"
        )
    if not np.array_equal(view.labels, train.labels):
        raise FacedistillError(f"{recipe.faces}: other faces were found at {size[0]}x{size[1]}; leave own_crop out")
    return view


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
    if recipe.classification is None:
        _check_crop(recipe)
        _check_test(recipe)
    start = recipe.student.start
    if start not in (None, DLIB) and not Path(str(start)).is_file():
        raise UsageError(f"recipe: student.start is {start}, which is no file; give `{DLIB}` or a checkpoint")
    if recipe.student.module is not None:
        find_factory(recipe.student.module)
    else:
        with torch.device("meta"):
            _build_backbone(recipe.student, recipe.student.embedding_size or 128)
        _build_head(recipe.head, 1, classes=max(2, process_count()))
    for name, loss in losses.items():
        if "logits" in loss.needs and recipe.head.sharded:
            raise UsageError(
                f"recipe: losses.{name} compares logits, which head.sharded gives to nobody; leave one of them out"
            )
        if "embedding" in loss.needs and recipe.student.module is not None:
            raise UsageError(f"recipe: losses.{name} compares embeddings, but student.module gives class scores alone")
        if "features" in loss.needs and not _gives_features(recipe):
            raise UsageError(
                f"recipe: losses.{name} compares feature maps, which only a single teacher that is a checkpoint gives "
                f"(teacher.spec is {recipe.teacher.spec}{' and there are more' if recipe.teachers else ''}); "
                "set the loss's option `on: embedding` where it has one, or leave it out"
            )


def _check_test(recipe: Recipe) -> None:
    if recipe.test not in (HELD_OUT, ORL) and not Path(recipe.test).exists():
        raise UsageError(
            f"recipe: test is {recipe.test}, which does not exist; give `{HELD_OUT}`, `{ORL}`, a face set or a "
            ".bin file (other protocols judge the finished model: facedistill eval MODEL --on NAME:FOLDER)"
        )


def _check_crop(recipe: Recipe) -> None:
    try:
        crop_convention(recipe.student.input_size)
    except UsageError as error:
        raise UsageError(f"recipe: student.input_size: {error}") from error


def _gives_features(recipe: Recipe) -> bool:
    single = recipe.classification is None and not recipe.teachers
    return single and Path(recipe.teacher.spec).suffix.lower() in CHECKPOINT_SUFFIXES


def needs_features(recipe: Recipe) -> bool:
    """Whether a loss compares feature maps."""
    return any("features" in loss.needs for loss in _build_losses(recipe).values())


def check_features(recipe: Recipe, teacher: Backbone) -> None:
    """Tries the losses on maps of the shapes that student and teacher give, before any face is read.

    Raises:
        UsageError: A loss cannot compare them; names the loss.
    """
    with torch.device("meta"):
        student = _build_backbone(recipe.student, recipe.student.embedding_size or 128)
    ours, theirs = _feature_zeros(student), _feature_zeros(teacher)
    for name, loss in _build_losses(recipe).items():
        if "features" in loss.needs:
            try:
                loss(ours, theirs, torch.zeros(2, dtype=torch.int64))
            except UsageError as error:
                raise UsageError(
                    f"recipe: losses.{name} cannot compare student.backbone with teacher: {error}"
                ) from error


def _feature_zeros(net: Backbone) -> Outputs:
    """Zeros of the shapes of the net's feature maps for two faces."""
    shadow = copy.deepcopy(net).to("meta").eval()
    with torch.no_grad():
        maps = shadow.maps(torch.empty(2, 3, *net.input_size, device="meta"))
    return Outputs(torch.zeros(2, 1), features=tuple(torch.zeros(each.shape) for each in maps))


def with_embedding_size(recipe: Recipe, teacher: int | None) -> Recipe:
    """The recipe with an embedding size, which must be the teacher's wherever embeddings are compared.

    Args:
        recipe: Its student may leave the size open.
        teacher: The length of the teacher's embeddings; None without a teacher.

    Raises:
        UsageError: A loss would compare embeddings of two lengths.
    """
    size = recipe.student.embedding_size or teacher or 512
    for name, loss in _build_losses(recipe).items():
        if teacher not in (None, size) and "embedding" in loss.needs and loss.equal_sizes:
            raise UsageError(
                f"recipe: losses.{name} compares embeddings, but student.embedding_size is {size} and "
                f"the teacher's {teacher}; leave student.embedding_size out"
            )
    return replace(recipe, student=replace(recipe.student, embedding_size=size))


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
    backbone: Backbone
    head: Head | ShardedHead
    if recipe.student.module is not None:
        backbone = CustomModule(recipe.student.module, classes, recipe.student.input_size)
        head = PassThroughHead(classes)
    else:
        backbone = _build_backbone(recipe.student, recipe.student.embedding_size)
        head = _build_head(recipe.head, recipe.student.embedding_size, classes)
    if recipe.student.start is not None:
        load_start(backbone, recipe.student.start)
    return Task(backbone, head, _build_losses(recipe), {name: term.weight for name, term in recipe.losses.items()})


def _build_backbone(net: NetRecipe, embedding_size: int) -> Backbone:
    return build_backbone(
        net.backbone,
        embedding_size=embedding_size,
        input_size=net.input_size,
        width=net.width,
        se=net.se,
        activation=net.activation,
    )


def _build_head(head: HeadRecipe, embedding_size: int, classes: int) -> Head | ShardedHead:
    if head.sharded:
        return ShardedHead(head.name, embedding_size, classes, head.sample_rate, **head.options)
    return build_head(head.name, embedding_size, classes, **head.options)


def _build_losses(recipe: Recipe) -> dict[str, DistillationLoss]:
    terms = {name: term for name, term in recipe.losses.items() if name != HARD}
    return {name: build_loss(name.partition(ALIAS_SEPARATOR)[0], **term.options) for name, term in terms.items()}
