"""ShuffleNetV2 (Ma et al. 2018, table 5): half of the channels pass by, and a shuffle mixes the halves."""

import torch
from torch import Tensor, nn

from facedistill.backbones.base import Backbone, BackboneSpec
from facedistill.backbones.blocks import ConvBnAct, SqueezeExcitation, scaled
from facedistill.backbones.neck import depthwise_neck

# Channels of one branch, and units, per stage. The paper's 58 and 116 become multiples of 8 (56 and 112).
_STAGES = ((58, 4), (116, 8), (232, 4))
_STEM = 24
_LAST = 1024


class ShuffleUnit(nn.Module):
    """One half of the channels passes by, the other goes through 1x1, 3x3 depthwise and 1x1; then a shuffle.

    With stride 2 both branches take all channels, and the one that else passes by is 3x3 depthwise and 1x1.
    """

    def __init__(self, inside: int, branch: int, *, stride: int, se: bool, activation: str) -> None:
        super().__init__()
        taken = inside if stride == 2 else branch
        self.splits = stride == 1
        self.branch = nn.Sequential(
            ConvBnAct(taken, branch, 1, activation=activation),
            ConvBnAct(branch, branch, 3, stride=stride, groups=branch, activation=None),
            ConvBnAct(branch, branch, 1, activation=activation),
            SqueezeExcitation(branch) if se else nn.Identity(),
        )
        self.bypass: nn.Module = nn.Identity()
        if not self.splits:
            spatial = ConvBnAct(inside, inside, 3, stride=stride, groups=inside, activation=None)
            self.bypass = nn.Sequential(spatial, ConvBnAct(inside, branch, 1, activation=activation))

    def forward(self, maps: Tensor) -> Tensor:
        """[B, inside, h, w] -> [B, 2 branch, h / stride, w / stride]."""
        passing, taken = maps.chunk(2, dim=1) if self.splits else (maps, maps)
        both = torch.stack([self.bypass(passing), self.branch(taken)], dim=2)
        return both.flatten(1, 2)  # channel by channel, one of each: the shuffle


def shufflenetv2(spec: BackboneSpec) -> Backbone:
    """The net for `spec`; its four stages end at 1/2, 1/4, 1/8 and 1/16 of the input size.

    As in MobileNetV2 here, the first convolution keeps the size and the neck is MobileFaceNet's.
    """
    inside = scaled(_STEM, spec.width)
    pool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
    stages = [nn.Sequential(ConvBnAct(3, inside, activation=spec.activation), pool)]
    for channels, repeats in _STAGES:
        branch = scaled(channels, spec.width)
        units = []
        for index in range(repeats):
            stride = 2 if index == 0 else 1
            units.append(ShuffleUnit(inside, branch, stride=stride, se=spec.se, activation=spec.activation))
            inside = 2 * branch
        stages.append(nn.Sequential(*units))
    return Backbone(spec, stages, depthwise_neck(spec, inside, _LAST, halvings=len(stages)))
