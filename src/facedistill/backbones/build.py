"""The registry of backbones, and the building of one by name."""

from collections.abc import Sequence

from facedistill.backbones.base import Backbone, BackboneSpec
from facedistill.backbones.dliblowrank import dliblowrank
from facedistill.backbones.dlibresnet import dlibresnet
from facedistill.backbones.ghostfacenet import ghostfacenet
from facedistill.backbones.iresnet import UNITS, iresnet
from facedistill.backbones.mobilefacenet import mobilefacenet
from facedistill.backbones.mobilenetv2 import mobilenetv2
from facedistill.backbones.shufflenetv2 import shufflenetv2
from facedistill.backbones.slim import slim, slimhalf
from facedistill.backbones.sphereface import sphereface
from facedistill.backbones.squeezenet import squeezenet
from facedistill.backbones.twobranch import twobranch
from facedistill.errors import UsageError
from facedistill.registry import Registry

BACKBONES: Registry[Backbone] = Registry("backbone", fixed=1, base=Backbone)
for _name, _units in {"resnet20": (1, 2, 4, 1), "resnet36": (2, 4, 8, 2), "resnet64": (3, 8, 16, 3)}.items():
    BACKBONES.register(_name)(sphereface(_units))
for _name, _units in UNITS.items():
    BACKBONES.register(_name)(iresnet(_units))
for _net in (
    slim,
    slimhalf,
    mobilefacenet,
    mobilenetv2,
    shufflenetv2,
    squeezenet,
    ghostfacenet,
    dlibresnet,
    dliblowrank,
    twobranch,
):
    BACKBONES.register(_net.__name__)(_net)


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
        name: A name in `BACKBONES`; or `package.module:Class` of a class derived from `Backbone`, or of a function
            that returns one, which is called with the `BackboneSpec`.
        embedding_size: Length of the embedding.
        input_size: (height, width) of the crops in pixels, each at least 32; a crop convention for `dlibresnet`,
            `dliblowrank` and `twobranch`.
        width: Factor on all channel counts, which become multiples of 8, at least 8; in `dliblowrank` and
            `twobranch` on the ranks.
        se: Whether residual branches (in `squeezenet` the fire modules) carry squeeze-and-excitation.
        activation: A name in `ACTIVATIONS`.

    Raises:
        UsageError: A name is unknown, a number is out of range, or what another package gives is no backbone.
    """
    BACKBONES.find(name)
    if not isinstance(input_size, Sequence) or len(input_size) != 2:
        raise UsageError(f"input_size must be (height, width), not {input_size!r}")
    size = (input_size[0], input_size[1])
    return BACKBONES.build(name, BackboneSpec(name, embedding_size, size, width, se, activation))
