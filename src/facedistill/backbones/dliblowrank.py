"""dlib's net with its wide convolutions factorised: a small student that begins with what the teacher knows.

A convolution whose maps move in few directions is a 1x1 convolution into those directions, the 3x3 convolution among
them, and a 1x1 convolution back (Kim et al. 2016, "Tucker-2", https://arxiv.org/abs/1511.06530). The maps between the
units stay those of dlib's net, all its channels included, so that the factors of its own weights are a start from which
little has to be learned again; `teachers.factorise` computes them. Thinning the channels keeps far less.
"""

from torch import nn

from facedistill.backbones.base import Backbone, BackboneSpec
from facedistill.backbones.blocks import scaled
from facedistill.backbones.dlibresnet import STAGES, convolution_3x3, dlib_units

_SHARE = 5 / 8  # of a stage's channels: the most directions that are still cheaper than the convolution itself


class LowRankConvolution(nn.Sequential):
    """[1x1 into fewer directions,] 3x3 [, 1x1 back]: linear, without anything in between.

    Args:
        inside: Channels of the input.
        outside: Channels of the output.
        ranks: Directions of the input and of the output that are kept; those of all channels save the 1x1 convolution.
        stride: Of the 3x3 convolution.
        padding: Of the 3x3 convolution, in pixels.
    """

    def __init__(self, inside: int, outside: int, ranks: tuple[int, int], stride: int, padding: int) -> None:
        into, out = ranks
        layers: list[nn.Module] = []
        if into < inside:
            layers.append(nn.Conv2d(inside, into, 1, bias=False))
        layers.append(nn.Conv2d(into, out, 3, stride, padding, bias=out == outside))
        if out < outside:
            layers.append(nn.Conv2d(out, outside, 1))
        super().__init__(*layers)
        self.ranks = ranks


def dliblowrank(spec: BackboneSpec) -> Backbone:
    """The net for `spec`: `width` times 256 directions, to the nearest multiple of 8, in stages of more channels.

    A stage keeps at most 5/8 of its channels as directions; stages that are no wider than the number of directions stay
    as they are. The maps of the four stages are those of `dlibresnet` of width 1. The projection has a bias, which can
    centre the embedding.

    Raises:
        UsageError: The input size is no crop convention.
    """
    channels = [count for count, _ in STAGES]
    rank = scaled(channels[-1], spec.width)

    def kept(count: int) -> int:
        return count if count <= rank else min(rank, scaled(count, _SHARE))

    def convolution(inside: int, outside: int, stride: int, padding: int) -> nn.Module:
        ranks = kept(inside), kept(outside)
        if ranks == (inside, outside):
            return convolution_3x3(inside, outside, stride, padding)
        return LowRankConvolution(inside, outside, ranks, stride, padding)

    return dlib_units(spec, channels, convolution, bias=True)
