"""A user's own image classifier, dressed as the backbone and the head that the loop, the losses and the store know."""

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from facedistill.backbones import Backbone
from facedistill.errors import UsageError
from facedistill.heads import Head
from facedistill.numerics import at_least_float32
from facedistill.outputs import Outputs


class CustomModule(Backbone):
    """A user's module whose class scores stand for the embedding, so that nothing else need know it.

    Args:
        path: `package.module:factory`; called as `factory(classes, input_size)`.
        classes: Number of classes C.
        input_size: (height, width) of the pictures in pixels.

    Raises:
        UsageError: There is no such factory, it fails, or what it gives is no module with scores [B, C].
    """

    def __init__(self, path: str, classes: int, input_size: tuple[int, int]) -> None:
        nn.Module.__init__(self)  # a backbone's own would draw the module's weights anew
        self.embedding_size = classes
        self.input_size = input_size
        self.spec = {"name": "own module", "module": path, "classes": classes, "input_size": list(input_size)}
        self.module = _made(path, classes, input_size)

    def forward(self, crops: Tensor) -> Outputs:
        """Float pictures [B, 3, H, W] -> scores [B, C]."""
        return Outputs(embedding=self.module(crops))


class PassThroughHead(Head):
    """The head of a net that gives class scores itself: they are passed on.

    Args:
        classes: Number of classes C.
    """

    name = "given scores"

    def __init__(self, classes: int) -> None:
        nn.Module.__init__(self)  # there are no class centres
        self.classes = self.embedding_size = classes
        self.options = {}

    def scores(self, embedding: Tensor) -> Tensor:
        """The scores [B, C], at least float32."""
        self.check_embedding(embedding)
        return at_least_float32(embedding)


def find_factory(path: str) -> Callable[..., Any]:
    """What `package.module:factory` names.

    Raises:
        UsageError: The module cannot be imported, or has no such function.
    """
    name, colon, attribute = path.partition(":")
    if not (name and colon and attribute):
        raise UsageError(f"recipe: module is {path!r}; write it as package.module:factory")
    try:
        found = getattr(importlib.import_module(name), attribute)
    except Exception as error:  # somebody else's module may fail in any way while it is imported
        raise UsageError(f"recipe: module {path!r} cannot be imported ({_reason(error)})") from error
    if not callable(found):
        raise UsageError(f"recipe: module {path!r} is no function; give one that makes a torch module")
    factory: Callable[..., Any] = found
    return factory


def _made(path: str, classes: int, input_size: tuple[int, int]) -> nn.Module:
    try:
        module = find_factory(path)(classes, input_size)
    except UsageError:
        raise
    except Exception as error:  # likewise while it builds the net
        raise UsageError(f"recipe: module {path!r} fails when called ({_reason(error)})") from error
    if not isinstance(module, nn.Module):
        raise UsageError(f"recipe: module {path!r} gives a {type(module).__name__}, no torch module")
    try:
        training = module.training
        with torch.no_grad():
            scores = module.eval()(torch.zeros(2, 3, *input_size))
        module.train(training)
    except Exception as error:
        raise UsageError(
            f"recipe: module {path!r} cannot see pictures [2, 3, {input_size[0]}, {input_size[1]}] ({_reason(error)})"
        ) from error
    if not isinstance(scores, Tensor) or scores.shape != (2, classes):
        given = list(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise UsageError(
            f"recipe: module {path!r} gives {given} for 2 pictures of {classes} classes, not [2, {classes}]"
        )
    return module


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
