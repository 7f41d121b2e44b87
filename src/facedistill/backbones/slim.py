"""`slim`, our own: what a CPU runs fast, and nothing else.

Each kernel that a runtime launches is a plain 3x3 convolution into which norm, ReLU and sum fold: no depthwise layer
(memory-bound), no slope of its own (PReLU costs 4x there), no shuffle or concatenation (a copy). The picture shrinks at
once, the channels fill whole vectors of 16 numbers, and the units stand where the map is small and the work is dense.
"""

from torch import nn

from facedistill.backbones.base import Backbone, BackboneSpec
from facedistill.backbones.neck import depthwise_neck
from facedistill.backbones.sphereface import residual_stages

# Per stage: (channels, residual units of two convolutions).
_STAGES = ((16, 1), (32, 3), (64, 8), (128, 2))
_LAST = 256


def slim(spec: BackboneSpec) -> Backbone:
    """The net for `spec`; its four stages end at 1/2, 1/4, 1/8 and 1/16 of the input size."""
    stages, channels = residual_stages(spec, _STAGES)
    return Backbone(spec, stages, depthwise_neck(spec, channels, _LAST, halvings=len(stages)))


def slimhalf(spec: BackboneSpec) -> Backbone:
    """`slim` on crops of which 2x2 pixels were averaged: for small faces, at a quarter of the cost.

    Faces of up to half as many rows as the crop lose nothing by it.
    """
    stages, channels = residual_stages(spec, _STAGES)
    stages[0].insert(0, nn.AvgPool2d(2, ceil_mode=True))
    return Backbone(spec, stages, depthwise_neck(spec, channels, _LAST, halvings=len(stages) + 1))
