"""The registry of backbones."""

from collections.abc import Callable, Sequence

from facedistill.backbones.base import Backbone, BackboneSpec
from facedistill.backbones.mobilefacenet import mobilefacenet
from facedistill.backbones.sphereface import sphereface
from facedistill.errors import UsageError
from facedistill.registry import look_up

BACKBONES: dict[str, Callable[[BackboneSpec], Backbone]] = {
    "resnet20": sphereface((1, 2, 4, 1)),
    "resnet36": sphereface((2, 4, 8, 2)),
    "resnet64": sphereface((3, 8, 16, 3)),
    "mobilefacenet": mobilefacenet,
}


def build_backbone(
    name: str,
    embedding_size: int = 512,
    input_size: Sequence[int] = (112, 96),
    width: float = 1.0,
    se: bool = False,
    activation: str = "relu",
) -> Backbone:
    """A backbone with fresh weights, drawn from torch's global generator.

    Args:
        name: A name in `BACKBONES`.
        embedding_size: Length of the embedding.
        input_size: (height, width) of the crops in pixels, each at least 32.
        width: Factor on all channel counts, which become multiples of 8, at least 8.
        se: Whether residual branches carry squeeze-and-excitation.
        activation: A name in `ACTIVATIONS`.

    Raises:
        UsageError: A name is unknown or a number is out of range.
    """
    builder = look_up("backbone", BACKBONES, name)
    if not isinstance(input_size, Sequence) or len(input_size) != 2:
        raise UsageError(f"input_size must be (height, width), not {input_size!r}")
    size = (input_size[0], input_size[1])
    return builder(BackboneSpec(name, embedding_size, size, width, se, activation))
