"""What a recipe leaves open and its teacher decides: the embedding size, and whether the losses can compare the two."""

import copy
from collections.abc import Mapping
from dataclasses import replace

import torch

from facedistill.backbones import Backbone
from facedistill.errors import UsageError
from facedistill.losses import CheckedLoss
from facedistill.losses.checked import Field
from facedistill.outputs import Outputs
from facedistill.recipe.parts import build_losses, build_net
from facedistill.recipe.recipe import Recipe

_WITHOUT_TEACHER = 512  # the embedding size of most published nets


def resolve(recipe: Recipe, teacher_size: int | None, teacher_net: Backbone | None = None) -> Recipe:
    """The recipe with an embedding size, which must be the teacher's wherever embeddings are compared.

    Args:
        recipe: Its student may leave the size open.
        teacher_size: The length D of the teacher's embeddings; None without a teacher.
        teacher_net: The teacher's net where it is one of ours; losses on feature maps are tried on its shapes.

    Raises:
        UsageError: A loss cannot compare this student with this teacher; names the loss.
    """
    size = recipe.student.embedding_size or teacher_size or _WITHOUT_TEACHER
    losses = build_losses(recipe)
    for name, loss in losses.items():
        if teacher_size not in (None, size) and "embedding" in loss.needs and loss.equal_sizes:
            raise UsageError(
                f"recipe: losses.{name} compares embeddings, but student.embedding_size is {size} and "
                f"the teacher's {teacher_size}; leave student.embedding_size out"
            )
    recipe = replace(recipe, student=replace(recipe.student, embedding_size=size))
    on_features = {name: loss for name, loss in losses.items() if "features" in loss.needs}
    if teacher_net is not None and on_features:
        _try_features(recipe, on_features, size, teacher_net)
    return recipe


def needs(recipe: Recipe, field: Field) -> bool:
    """Whether a loss compares this field of the outputs."""
    return any(field in loss.needs for loss in build_losses(recipe).values())


def _try_features(recipe: Recipe, losses: Mapping[str, CheckedLoss], size: int, teacher: Backbone) -> None:
    """Tries the losses on maps of the shapes that student and teacher give."""
    with torch.device("meta"):
        student = build_net(recipe.student, size)
    ours, theirs = _feature_zeros(student), _feature_zeros(teacher)
    for name, loss in losses.items():
        if "logits" not in loss.needs:
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
    return Outputs(torch.zeros(2, net.embedding_size), features=tuple(torch.zeros(each.shape) for each in maps))
