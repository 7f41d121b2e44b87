"""Checks of a whole recipe that need no data: wrong names and options are refused before anything is loaded."""

from pathlib import Path

import torch

from facedistill.datasets.sources import TESTABLE, parse_source
from facedistill.errors import UsageError
from facedistill.faces import crop_convention
from facedistill.foreign import import_callable
from facedistill.losses import CheckedLoss
from facedistill.models import nearest, shipped_models
from facedistill.processes import process_count
from facedistill.recipe.parts import build_classifier_head, build_losses, build_net, build_variances, build_views
from facedistill.recipe.recipe import HARD, HELD_OUT, Recipe
from facedistill.teachers.load import CHECKPOINT_SUFFIXES
from facedistill.teachers.start import start_parts
from facedistill.teachers.teacher import DLIB


def validate(recipe: Recipe) -> None:
    """Builds every part that needs no data.

    Raises:
        UsageError: Names the field, what is wrong with it and what is known.
    """
    recipe.check()
    build_variances(recipe)
    views = build_views(recipe)
    losses = build_losses(recipe)
    if recipe.classification is None:
        _check_crop(recipe)
        _check_test(recipe)
    _check_student(recipe)
    _check_growing(recipe)
    for name, loss in losses.items():
        _check_loss(recipe, name, loss)
        if recipe.losses[name].small is not None and not loss.has_face_losses:
            raise UsageError(
                f"recipe: losses.{name}.small is given, but the loss has no value for each face (`per_face`); "
                "leave it out"
            )
        if views.needs_partner and loss.needs_one_label:
            raise UsageError(
                f"recipe: losses.{name} needs one label a face, but views show mixtures of two faces; leave one of "
                "them out"
            )
    if HARD in recipe.losses and recipe.losses[HARD].small is not None and recipe.head.sharded:
        raise UsageError("recipe: losses.hard.small is given, but head.sharded weighs all faces alike; leave one out")
    if views.needs_partner and recipe.head.sharded:
        raise UsageError("recipe: views show mixtures of two faces, which head.sharded cannot label; leave one out")


def _check_crop(recipe: Recipe) -> None:
    try:
        crop_convention(recipe.student.input_size)
    except UsageError as error:
        raise UsageError(f"recipe: student.input_size: {error}") from error
    try:
        crop_convention(recipe.data.stored_size or recipe.student.input_size)
    except UsageError as error:
        raise UsageError(f"recipe: data.stored_size: {error}") from error


def _check_test(recipe: Recipe) -> None:
    if recipe.test == HELD_OUT:
        return
    try:
        parse_source(recipe.test, TESTABLE)
    except UsageError as error:
        raise UsageError(
            f"recipe: test: {error}, or `{HELD_OUT}` (other protocols evaluate the finished model: "
            "facedistill eval MODEL --on NAME:FOLDER)"
        ) from error


def _check_student(recipe: Recipe) -> None:
    for start in [] if recipe.student.start is None else start_parts(recipe.student.start):
        if start not in (DLIB, *shipped_models()) and not Path(start).is_file():
            raise UsageError(
                f"recipe: student.start is {start}, which is no file; {nearest(start)}or give `{DLIB}` or a checkpoint"
            )
    if recipe.student.module is not None:
        import_callable(f"recipe: student.module {recipe.student.module!r}", recipe.student.module)
        return
    with torch.device("meta"):
        build_net(recipe.student, recipe.student.embedding_size or 128)
    build_classifier_head(recipe.head, 1, classes=max(2, process_count()))


def _check_growing(recipe: Recipe) -> None:
    """Refuses teachers whose embeddings of all faces are needed before there are all faces."""
    if recipe.data.synth.start is None or not recipe.distils:
        return
    for number, teacher in enumerate(recipe.all_teachers):
        if teacher.input != "view":
            name = f"teachers.{number - 1}" if number else "teacher"
            raise UsageError(
                f"recipe: {name}.input is {teacher.input}, for which all faces are embedded first, but with "
                f"data.synth.start they are not there; give {name}.input: view, or leave data.synth.start out"
            )


def _check_loss(recipe: Recipe, name: str, loss: CheckedLoss) -> None:
    """Refuses a loss that compares what this recipe's student or teacher does not give."""
    if "logits" in loss.needs and recipe.head.sharded:
        raise UsageError(
            f"recipe: losses.{name} compares logits, which a sharded head does not give; leave out the loss or "
            "head.sharded"
        )
    if "logits" in loss.needs and recipe.data.synth.start is not None:
        raise UsageError(
            f"recipe: losses.{name} compares logits, for which all faces are embedded first, but with "
            "data.synth.start they are not there; leave one of them out"
        )
    if "embedding" in loss.needs and recipe.student.module is not None:
        raise UsageError(f"recipe: losses.{name} compares embeddings, but student.module gives class scores alone")
    if "features" in loss.needs and recipe.fixed_views:
        raise UsageError(
            f"recipe: losses.{name} compares feature maps, which are too large to cache, so teacher.views would save "
            "nothing; write `input: view` instead of it, or leave out the loss"
        )
    single = recipe.classification is None and not recipe.teachers
    if "features" in loss.needs and not (single and Path(recipe.teacher.spec).suffix.lower() in CHECKPOINT_SUFFIXES):
        raise UsageError(
            f"recipe: losses.{name} compares feature maps, which only a single teacher that is a checkpoint gives "
            f"(teacher.spec is {recipe.teacher.spec}{' and there are more' if recipe.teachers else ''}); "
            'set the loss\'s option `"on": embedding` where it has one, or leave it out'
        )
