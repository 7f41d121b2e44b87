"""MobileFaceNet (Chen et al. 2018, table 1): inverted bottlenecks and a global depthwise convolution."""

from torch import nn

from facedistill.backbones.base import Backbone, BackboneSpec
from facedistill.backbones.blocks import ConvBnAct, bottlenecks, scaled
from facedistill.backbones.neck import depthwise_neck

# Per stage: (expansion, channels, repeats, stride of the first) of its bottlenecks.
_STAGES = (
    ((2, 64, 5, 2),),
    ((4, 128, 1, 2), (2, 128, 6, 1)),
    ((4, 128, 1, 2), (2, 128, 2, 1)),
)
_STEM = 64
_LAST = 512


def mobilefacenet(spec: BackboneSpec) -> Backbone:
    """The net for `spec`; its four stages end at 1/2, 1/4, 1/8 and 1/16 of the input size."""
    inside = scaled(_STEM, spec.width)
    stem = nn.Sequential(
        ConvBnAct(3, inside, stride=2, activation=spec.activation),
        ConvBnAct(inside, inside, groups=inside, activation=spec.activation),
    )
    stages = [stem]
    for groups in _STAGES:
        blocks, inside = bottlenecks(inside, groups, width=spec.width, se=spec.se, activation=spec.activation)
        stages.append(nn.Sequential(*blocks))
    return Backbone(spec, stages, depthwise_neck(spec, inside, _LAST, halvings=len(stages)))
