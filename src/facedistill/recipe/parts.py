"""The parts that a recipe's sections name, each built alone; an error names the section's field."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from typing import Any

from facedistill.backbones import Backbone, build_backbone
from facedistill.errors import UsageError
from facedistill.foreign import SEPARATOR
from facedistill.heads import Head, ShardedHead, build_head
from facedistill.losses import CheckedLoss, build_loss
from facedistill.recipe.recipe import ALIAS_SEPARATOR, HARD, Recipe
from facedistill.recipe.sections import HeadRecipe, NetRecipe
from facedistill.variance import Variance, build_variance
from facedistill.views import Views, build_view


def build_losses(recipe: Recipe) -> dict[str, CheckedLoss]:
    """The distillation losses by the names that the recipe gives them.

    Raises:
        UsageError: A name or an option is wrong; the message names `losses.NAME`.
    """
    losses = {}
    for name, term in recipe.losses.items():
        if name != HARD:
            with _field(f"losses.{name}"):
                losses[name] = build_loss(name.partition(ALIAS_SEPARATOR)[0], **term.options)
    return losses


def build_variances(recipe: Recipe) -> list[Variance]:
    """The changes that the student's crops undergo and the teacher's do not, in the recipe's order.

    Raises:
        UsageError: A name or an option is wrong; the message names `variance`.
    """
    variances = []
    for step in recipe.variance:
        with _field("variance"):
            variances.append(build_variance(step.name, **step.options))
    return variances


def build_views(recipe: Recipe) -> Views:
    """How student and teacher are shown a picture.

    Raises:
        UsageError: A name or an option is wrong, or the parts together may leave no face; the message names `views`.
    """
    with _field("views"):
        return Views([build_view(step.name, **step.options) for step in recipe.views])


def views_identity(recipe: Recipe) -> list[dict[str, Any]]:
    """What decides how the recipe's views are drawn: each part's settings, and the code of one of another package."""
    return [
        {"part": repr(part) if is_dataclass(part) else step.name, "options": step.options}
        | ({"source": _source(type(part))} if SEPARATOR in step.name else {})
        for step, part in zip(recipe.views, build_views(recipe).parts, strict=True)
    ]


def build_net(net: NetRecipe, embedding_size: int) -> Backbone:
    """The student's backbone with fresh weights.

    Raises:
        UsageError: A name or a number is wrong; the message names `student.backbone`.
    """
    with _field("student.backbone"):
        return build_backbone(
            net.backbone,
            embedding_size=embedding_size,
            input_size=net.input_size,
            width=net.width,
            se=net.se,
            activation=net.activation,
        )


def build_classifier_head(head: HeadRecipe, embedding_size: int, classes: int) -> Head | ShardedHead:
    """The head of the hard loss with fresh class centres.

    Raises:
        UsageError: The name or an option is wrong; the message names `head`.
    """
    with _field("head"):
        if head.sharded:
            return ShardedHead(head.name, embedding_size, classes, head.sample_rate, **head.options)
        return build_head(head.name, embedding_size, classes, **head.options)


def _source(part: type) -> str:
    """The text of the module that a class is written in; empty where there is none to read."""
    module = inspect.getmodule(part)
    try:
        return "" if module is None else inspect.getsource(module)
    except OSError:
        return ""


@contextmanager
def _field(name: str) -> Iterator[None]:
    """Names the recipe's field in what goes wrong inside."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"recipe: {name}: {error}") from error
