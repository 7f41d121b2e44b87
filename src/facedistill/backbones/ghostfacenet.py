"""GhostFaceNet (Alansari et al. 2023) on GhostNet's table (Han et al. 2020): half of each map is a cheap copy."""

import torch
from torch import Tensor, nn

from facedistill.backbones.base import Backbone, BackboneSpec
from facedistill.backbones.blocks import ConvBnAct, SqueezeExcitation, scaled
from facedistill.backbones.neck import depthwise_neck

# Per stage: (kernel, expanded, channels, gated, stride) of its bottlenecks; gated only if the spec sets `se`.
_STAGES = (
    ((3, 16, 16, False, 1), (3, 48, 24, False, 2)),
    ((3, 72, 24, False, 1), (5, 72, 40, True, 2)),
    (
        (5, 120, 40, True, 1),
        (3, 240, 80, False, 2),
        (3, 200, 80, False, 1),
        (3, 184, 80, False, 1),
        (3, 184, 80, False, 1),
        (3, 480, 112, True, 1),
        (3, 672, 112, True, 1),
    ),
    (
        (5, 672, 160, True, 2),
        (5, 960, 160, False, 1),
        (5, 960, 160, True, 1),
        (5, 960, 160, False, 1),
        (5, 960, 160, True, 1),
    ),
)
_STEM = 16
_LAST = 960


def _half(channels: int, width: float) -> int:
    """Channels of the half that is computed; both halves are multiples of 8, so the paper's 24 and 40 become 32."""
    return scaled(channels / 2, width)


class Ghost(nn.Module):
    """A 1x1 convolution gives half of the channels, a 3x3 depthwise one on those gives the other half."""

    def __init__(self, inside: int, half: int, *, activation: str | None) -> None:
        super().__init__()
        self.primary = ConvBnAct(inside, half, 1, activation=activation)
        self.cheap = ConvBnAct(half, half, 3, groups=half, activation=activation)

    def forward(self, maps: Tensor) -> Tensor:
        """[B, inside, h, w] -> [B, 2 half, h, w]."""
        primary = self.primary(maps)
        return torch.cat([primary, self.cheap(primary)], dim=1)


class GhostBottleneck(nn.Module):
    """An expanding ghost, a depthwise convolution where it strides, a gate, a linear ghost, and a shortcut."""

    def __init__(
        self, inside: int, expanded: int, half: int, *, kernel: int, stride: int, se: bool, activation: str
    ) -> None:
        super().__init__()
        hidden, outside = 2 * expanded, 2 * half
        self.branch = nn.Sequential(
            Ghost(inside, expanded, activation=activation),
            ConvBnAct(hidden, hidden, kernel, stride=stride, groups=hidden, activation=None)
            if stride > 1
            else nn.Identity(),
            SqueezeExcitation(hidden, reduction=4) if se else nn.Identity(),
            Ghost(hidden, half, activation=None),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inside != outside:
            spatial = ConvBnAct(inside, inside, kernel, stride=stride, groups=inside, activation=None)
            self.shortcut = nn.Sequential(spatial, ConvBnAct(inside, outside, 1, activation=None))

    def forward(self, maps: Tensor) -> Tensor:
        """[B, inside, h, w] -> [B, 2 half, h / stride, w / stride]."""
        return torch.add(self.shortcut(maps), self.branch(maps))


def ghostfacenet(spec: BackboneSpec) -> Backbone:
    """The net for `spec`; its four stages end at 1/2, 1/4, 1/8 and 1/16 of the input size.

    The first convolution keeps the size (the paper's more accurate variant "-1"); the neck is MobileFaceNet's.
    """
    inside = scaled(_STEM, spec.width)
    stages = []
    for number, bottlenecks in enumerate(_STAGES):
        blocks: list[nn.Module] = [] if number else [ConvBnAct(3, inside, activation=spec.activation)]
        for kernel, expanded, channels, gated, stride in bottlenecks:
            hidden, half = _half(expanded, spec.width), _half(channels, spec.width)
            se, activation = spec.se and gated, spec.activation
            unit = GhostBottleneck(inside, hidden, half, kernel=kernel, stride=stride, se=se, activation=activation)
            blocks.append(unit)
            inside = 2 * half
        stages.append(nn.Sequential(*blocks))
    return Backbone(spec, stages, depthwise_neck(spec, inside, _LAST, halvings=len(stages)))
