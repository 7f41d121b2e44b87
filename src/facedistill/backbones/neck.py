"""The neck that the light families share."""

from torch import nn

from facedistill.backbones.base import BackboneSpec
from facedistill.backbones.blocks import ConvBnAct, scaled


def depthwise_neck(spec: BackboneSpec, inside: int, last: int, halvings: int) -> nn.Sequential:
    """Turns the last map into an embedding as MobileFaceNet does (Chen et al. 2018, section 3.1).

    Args:
        spec: Of the net; gives the sizes of map and embedding.
        inside: Channels of the last map.
        last: Channels after the 1x1 convolution, before the width.
        halvings: How often the map's sides were halved.
    """
    wide = scaled(last, spec.width)
    return nn.Sequential(
        ConvBnAct(inside, wide, 1, activation=spec.activation),
        # One filter per channel over the whole map: learned where to look, unlike an average.
        nn.Conv2d(wide, wide, spec.final_size(halvings), groups=wide, bias=False),
        nn.BatchNorm2d(wide),
        nn.Flatten(),
        nn.Linear(wide, spec.embedding_size, bias=False),
        nn.BatchNorm1d(spec.embedding_size),
    )
