"""From a recipe to the task: the student with its weights, its head and its losses."""

import torch

from facedistill.backbones import Backbone
from facedistill.datasets import FaceSet
from facedistill.errors import UsageError
from facedistill.heads import Head, ShardedHead
from facedistill.recipe import Recipe
from facedistill.recipe.parts import build_classifier_head, build_losses, build_net
from facedistill.teachers.start import load_start
from facedistill.training.custom_module import CustomModule, PassThroughHead
from facedistill.training.task import Task


def build_task(recipe: Recipe, classes: int, faces: FaceSet | None = None) -> Task:
    """The student, its head and losses, with initial weights that follow from the recipe's seed.

    The backbone and the head are made first, so the control starts from the very same weights.

    Args:
        recipe: Resolved, so that it has an embedding size.
        classes: Number of identities or classes C.
        faces: Faces in the student's crops, for a start that depends on them, see `load_start`.

    Raises:
        UsageError: The embedding size is open, or `student.start` or `student.module` does not do.
        FacedistillError: The weights to start from are missing or damaged.
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
        backbone = build_net(recipe.student, recipe.student.embedding_size)
        head = build_classifier_head(recipe.head, recipe.student.embedding_size, classes)
    if recipe.student.start is not None:
        load_start(backbone, recipe.student.start, faces)
    return Task(backbone, head, build_losses(recipe), recipe.losses)
