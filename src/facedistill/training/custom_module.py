"""A user's own image classifier as a backbone and a head, which the loop, the losses and the cache work with."""

import torch
from torch import Tensor, nn

from facedistill.backbones import Backbone
from facedistill.errors import UsageError
from facedistill.heads import Head
from facedistill.numerics import at_least_float32
from facedistill.outputs import Outputs
from facedistill.registry import import_callable


class CustomModule(Backbone):
    """A user's module whose class scores take the place of the embedding.

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


def _made(path: str, classes: int, input_size: tuple[int, int]) -> nn.Module:
    try:
        module = import_callable(f"recipe: student.module {path!r}", path)(classes, input_size)
    except UsageError:
        raise
    except Exception as error:  # likewise while it builds the net
        raise UsageError(f"recipe: student.module {path!r} fails when called ({_reason(error)})") from error
    if not isinstance(module, nn.Module):
        raise UsageError(f"recipe: student.module {path!r} gives a {type(module).__name__}, no torch module")
    try:
        training = module.training
        with torch.no_grad():
            scores = module.eval()(torch.zeros(2, 3, *input_size))
        module.train(training)
    except Exception as error:
        raise UsageError(
            f"recipe: student.module {path!r} cannot take pictures [2, 3, {input_size[0]}, {input_size[1]}] "
            f"({_reason(error)})"
        ) from error
    if not isinstance(scores, Tensor) or scores.shape != (2, classes):
        given = list(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise UsageError(
            f"recipe: student.module {path!r} gives {given} for 2 pictures of {classes} classes, not [2, {classes}]"
        )
    return module


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
