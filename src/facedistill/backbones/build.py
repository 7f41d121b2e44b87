"""The registry of backbones."""

from collections.abc import Callable, Sequence

from facedistill.backbones.base import Backbone, BackboneSpec
from facedistill.backbones.dlibresnet import dlibresnet
from facedistill.backbones.ghostfacenet import ghostfacenet
from facedistill.backbones.iresnet import UNITS, iresnet
from facedistill.backbones.mobilefacenet import mobilefacenet
from facedistill.backbones.mobilenetv2 import mobilenetv2
from facedistill.backbones.shufflenetv2 import shufflenetv2
from facedistill.backbones.slim import slim
from facedistill.backbones.sphereface import sphereface
from facedistill.backbones.squeezenet import squeezenet
from facedistill.errors import UsageError
from facedistill.registry import look_up

BACKBONES: dict[str, Callable[[BackboneSpec], Backbone]] = {
    "resnet20": sphereface((1, 2, 4, 1)),
    "resnet36": sphereface((2, 4, 8, 2)),
    "resnet64": sphereface((3, 8, 16, 3)),
    **{name: iresnet(units) for name, units in UNITS.items()},
    "slim": slim,
    "mobilefacenet": mobilefacenet,
    "mobilenetv2": mobilenetv2,
    "shufflenetv2": shufflenetv2,
    "squeezenet": squeezenet,
    "ghostfacenet": ghostfacenet,
    "dlibresnet": dlibresnet,
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
        input_size: (height, width) of the crops in pixels, each at least 32; a crop convention for `dlibresnet`.
        width: Factor on all channel counts, which become multiples of 8, at least 8.
        se: Whether residual branches (in `squeezenet` the fire modules) carry squeeze-and-excitation.
        activation: A name in `ACTIVATIONS`.

    Raises:
        UsageError: A name is unknown or a number is out of range.
    """
    builder = look_up("backbone", BACKBONES, name)
    if not isinstance(input_size, Sequence) or len(input_size) != 2:
        raise UsageError(f"input_size must be (height, width), not {input_size!r}")
    size = (input_size[0], input_size[1])
    return builder(BackboneSpec(name, embedding_size, size, width, se, activation))
