"""A user's own image classifier as a backbone and a head, which the loop, the losses and the cache work with."""

import torch
from torch import Tensor, nn

from facedistill.backbones import Backbone
from facedistill.errors import UsageError
from facedistill.foreign import check_module, foreign_errors, import_callable
from facedistill.heads import Head
from facedistill.numerics import at_least_float32
from facedistill.outputs import Outputs


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
    what = f"recipe: student.module {path!r}"
    factory = import_callable(what, path)
    with foreign_errors(f"{what} fails when called", path, error_type=UsageError):
        module = factory(classes, input_size)
    if not isinstance(module, nn.Module):
        raise UsageError(f"{what} gives a {type(module).__name__}, no torch module")
    check_module(what, module)
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise UsageError(f"{what} has no parameters, so there is nothing to train")
    pictures = torch.zeros(2, 3, *input_size)
    training = module.training
    with (
        torch.no_grad(),
        foreign_errors(f"{what} cannot take pictures {list(pictures.shape)}", path, error_type=UsageError),
    ):
        scores = module.eval()(pictures)
    module.train(training)
    if not isinstance(scores, Tensor) or scores.shape != (2, classes):
        given = list(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise UsageError(f"{what} gives {given} for 2 pictures of {classes} classes, not [2, {classes}]")
    return module
