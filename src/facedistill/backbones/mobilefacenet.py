"""MobileFaceNet (Chen et al. 2018, table 1): inverted bottlenecks and a global depthwise convolution."""

from torch import Tensor, nn

from facedistill.backbones.base import Backbone, BackboneSpec
from facedistill.backbones.blocks import ConvBnAct, SqueezeExcitation, scaled

# Per stage: (expansion, channels, repeats, stride of the first) of its bottlenecks.
_STAGES = (
    ((2, 64, 5, 2),),
    ((4, 128, 1, 2), (2, 128, 6, 1)),
    ((4, 128, 1, 2), (2, 128, 2, 1)),
)
_STEM = 64
_LAST = 512


class Bottleneck(nn.Module):
    """1x1 expansion, 3x3 depthwise, linear 1x1 projection, SE; the input is added where the shape allows."""

    def __init__(self, inside: int, outside: int, expansion: int, *, stride: int, se: bool, activation: str) -> None:
        super().__init__()
        hidden = inside * expansion
        self.adds_input = stride == 1 and inside == outside
        self.branch = nn.Sequential(
            ConvBnAct(inside, hidden, 1, activation=activation),
            ConvBnAct(hidden, hidden, 3, stride=stride, groups=hidden, activation=activation),
            ConvBnAct(hidden, outside, 1, activation=None),
            SqueezeExcitation(outside) if se else nn.Identity(),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """[B, inside, h, w] -> [B, outside, h / stride, w / stride]."""
        result: Tensor = self.branch(maps)
        return maps + result if self.adds_input else result


def mobilefacenet(spec: BackboneSpec) -> Backbone:
    """The net for `spec`; its four stages end at 1/2, 1/4, 1/8 and 1/16 of the input size."""
    inside = scaled(_STEM, spec.width)
    stem = nn.Sequential(
        ConvBnAct(3, inside, stride=2, activation=spec.activation),
        ConvBnAct(inside, inside, groups=inside, activation=spec.activation),
    )
    stages = [stem]
    for groups in _STAGES:
        blocks = []
        for expansion, channels, repeats, first_stride in groups:
            outside = scaled(channels, spec.width)
            for index in range(repeats):
                stride = first_stride if index == 0 else 1
                blocks.append(
                    Bottleneck(inside, outside, expansion, stride=stride, se=spec.se, activation=spec.activation)
                )
                inside = outside
        stages.append(nn.Sequential(*blocks))
    last = scaled(_LAST, spec.width)
    neck = nn.Sequential(
        ConvBnAct(inside, last, 1, activation=spec.activation),
        # One filter per channel over the whole map: learned where to look, unlike an average.
        nn.Conv2d(last, last, spec.final_size(halvings=len(stages)), groups=last, bias=False),
        nn.BatchNorm2d(last),
        nn.Flatten(),
        nn.Linear(last, spec.embedding_size, bias=False),
        nn.BatchNorm1d(spec.embedding_size),
    )
    return Backbone(spec, stages, neck)
