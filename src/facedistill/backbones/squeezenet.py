"""SqueezeNet 1.1 (Iandola et al. 2016, and their later release): few channels in, many out in two filter sizes."""

import torch
from torch import Tensor, nn

from facedistill.backbones.base import Backbone, BackboneSpec
from facedistill.backbones.blocks import ConvBnAct, SqueezeExcitation, scaled
from facedistill.backbones.neck import depthwise_neck

# Per stage: (squeezed, expanded) channels of its fire modules; each of the two expansions has so many.
_STAGES = (
    ((16, 64), (16, 64)),
    ((32, 128), (32, 128)),
    ((48, 192), (48, 192), (64, 256), (64, 256)),
)
_STEM = 64
_LAST = 512


class Fire(nn.Module):
    """1x1 squeeze, then 1x1 and 3x3 expansions side by side.

    The norms, which the original lacks, let it train from scratch without care, and fold away.
    """

    def __init__(self, inside: int, squeezed: int, expanded: int, *, se: bool, activation: str) -> None:
        super().__init__()
        self.squeeze = ConvBnAct(inside, squeezed, 1, activation=activation)
        self.small = ConvBnAct(squeezed, expanded, 1, activation=activation)
        self.large = ConvBnAct(squeezed, expanded, 3, activation=activation)
        self.gate = SqueezeExcitation(2 * expanded) if se else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        """[B, inside, h, w] -> [B, 2 expanded, h, w]."""
        maps = self.squeeze(maps)
        result: Tensor = self.gate(torch.cat([self.small(maps), self.large(maps)], dim=1))
        return result


def squeezenet(spec: BackboneSpec) -> Backbone:
    """The net for `spec`; its four stages end at 1/2, 1/4, 1/8 and 1/16 of the input size."""
    inside = scaled(_STEM, spec.width)
    stages: list[nn.Module] = [ConvBnAct(3, inside, stride=2, activation=spec.activation)]
    for modules in _STAGES:
        layers: list[nn.Module] = [nn.MaxPool2d(kernel_size=3, stride=2, padding=1)]
        for squeezed, expanded in modules:
            wide = scaled(expanded, spec.width)
            layers.append(Fire(inside, scaled(squeezed, spec.width), wide, se=spec.se, activation=spec.activation))
            inside = 2 * wide
        stages.append(nn.Sequential(*layers))
    return Backbone(spec, stages, depthwise_neck(spec, inside, _LAST, halvings=len(stages)))
