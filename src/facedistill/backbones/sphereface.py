"""Residual nets of the SphereFace shape (Liu et al. 2017): 20, 36 or 64 layers."""

from collections.abc import Callable, Iterable

from torch import Tensor, nn

from facedistill.backbones.base import Backbone, BackboneSpec
from facedistill.backbones.blocks import ConvBnAct, SqueezeExcitation, activation_layer, scaled

_CHANNELS = (64, 128, 256, 512)


class ResidualUnit(nn.Module):
    """x -> act(x + SE(conv(conv(x)))), two 3x3 convolutions at constant size.

    SphereFace activates before the sum, which with ReLU lets a branch only ever add (He et al. 2016,
    "Identity mappings", measured it as worse). After the sum, both conv and sum fold into one kernel.
    """

    def __init__(self, channels: int, *, se: bool, activation: str) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            ConvBnAct(channels, channels, activation=activation),
            ConvBnAct(channels, channels, activation=None),
            SqueezeExcitation(channels) if se else nn.Identity(),
        )
        self.activation = activation_layer(activation, channels)

    def forward(self, maps: Tensor) -> Tensor:
        """[B, C, h, w] -> the same shape."""
        result: Tensor = self.activation(maps + self.branch(maps))
        return result


def residual_stages(spec: BackboneSpec, table: Iterable[tuple[int, int]]) -> tuple[list[nn.Sequential], int]:
    """Stages that are each opened by a 3x3 convolution of stride 2.

    Args:
        spec: Of the net.
        table: Per stage its channels, before the width, and its residual units.

    Returns:
        The stages, and the channels of the last.
    """
    stages = []
    inside = 3
    for channels, units in table:
        outside = scaled(channels, spec.width)
        opening = ConvBnAct(inside, outside, stride=2, activation=spec.activation)
        body = [ResidualUnit(outside, se=spec.se, activation=spec.activation) for _ in range(units)]
        stages.append(nn.Sequential(opening, *body))
        inside = outside
    return stages, inside


def sphereface(units: tuple[int, int, int, int]) -> Callable[[BackboneSpec], Backbone]:
    """A builder of the net with so many residual units per stage.

    The channels are 64-128-256-512 times the width. The last map, flattened, goes through one linear layer and a
    batch norm.
    """

    def build(spec: BackboneSpec) -> Backbone:
        stages, channels = residual_stages(spec, zip(_CHANNELS, units, strict=True))
        height, width = spec.final_size(halvings=len(stages))
        neck = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * height * width, spec.embedding_size, bias=False),
            nn.BatchNorm1d(spec.embedding_size),
        )
        return Backbone(spec, stages, neck)

    return build
