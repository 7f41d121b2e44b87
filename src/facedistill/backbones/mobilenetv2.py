"""MobileNetV2 (Sandler et al. 2018, table 2), as nets for faces use it."""

from torch import nn

from facedistill.backbones.base import Backbone, BackboneSpec
from facedistill.backbones.blocks import ConvBnAct, bottlenecks, scaled
from facedistill.backbones.neck import depthwise_neck

# Per stage: (expansion, channels, repeats, stride of the first) of its bottlenecks.
_STAGES = (
    ((1, 16, 1, 1), (6, 24, 2, 2)),
    ((6, 32, 3, 2),),
    ((6, 64, 4, 2), (6, 96, 3, 1)),
    ((6, 160, 3, 2), (6, 320, 1, 1)),
)
_STEM = 32
_LAST = 1280


def mobilenetv2(spec: BackboneSpec) -> Backbone:
    """The net for `spec`; its four stages end at 1/2, 1/4, 1/8 and 1/16 of the input size.

    The first convolution keeps the size, and the neck is MobileFaceNet's: Chen et al. 2018 (section 4.2) found
    stride 2 there, and an average over the last map, to cost much accuracy on faces.
    """
    inside = scaled(_STEM, spec.width)
    stages, stem = [], [ConvBnAct(3, inside, activation=spec.activation)]
    for groups in _STAGES:
        blocks, inside = bottlenecks(inside, groups, width=spec.width, se=spec.se, activation=spec.activation)
        stages.append(nn.Sequential(*stem, *blocks))
        stem = []
    return Backbone(spec, stages, depthwise_neck(spec, inside, _LAST, halvings=len(stages)))
