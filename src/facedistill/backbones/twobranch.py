"""Two nets in one: a factorised dlib's for sharp faces, and a small one of our own for small faces.

What rendered people teach about small faces and what dlib's weights hold of real, sharp ones fail on different pairs,
so the similarity is the weighted mean of both: an ensemble with one input and one output, with a branch per resolution
as in Zangeneh et al. 2017 (https://arxiv.org/abs/1706.06247).
"""

import math
from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from facedistill.backbones.base import Backbone, BackboneSpec
from facedistill.backbones.dliblowrank import dliblowrank
from facedistill.backbones.slim import slimhalf
from facedistill.errors import UsageError
from facedistill.outputs import Outputs

_AT_ONCE = 64  # crops


class TwoBranch(Backbone):
    """`dliblowrank` and `slimhalf` on the same crop, half of the embedding each.

    The small branch's half has length 1. The sharp one's is as long as its weights make it: a branch that matched the
    lengths of its teacher's centred embeddings answers faces of few rows with short vectors, so that the small branch
    counts more the smaller the face.

    Attributes:
        small: The `slimhalf`. The sharp branch is the net's own stages and neck; `Outputs.features` are its maps.
    """

    def __init__(self, spec: BackboneSpec) -> None:
        sharp, small = branch_specs(spec)
        net = dliblowrank(sharp)
        drawn = deepcopy(net.state_dict())
        super().__init__(spec, net.stages, net.neck)  # draws the weights anew
        self.load_state_dict(drawn)
        self.small = slimhalf(small)

    def forward(self, crops: Tensor) -> Outputs:
        """Float crops [B, 3, H, W] -> embedding [B, D], the sharp half first, and the sharp branch's maps."""
        sharp = super().forward(crops)
        small = normalize(self.small(crops).embedding)
        return Outputs(embedding=torch.cat([sharp.embedding, small], dim=1), features=sharp.features)


def branch_specs(spec: BackboneSpec) -> tuple[BackboneSpec, BackboneSpec]:
    """What the sharp and the small branch of a `twobranch` are, each a net of its own.

    A sharp branch of width w has a small one of width (8 w + 1) / 6, which so holds about a quarter of all weights.

    Raises:
        UsageError: The embedding cannot be halved.
    """
    if spec.embedding_size % 2:
        raise UsageError(
            f"embedding_size of a twobranch must be even, as half is each branch's, not {spec.embedding_size}"
        )
    half = spec.embedding_size // 2
    sharp = replace(spec, name="dliblowrank", embedding_size=half)
    return sharp, replace(sharp, name="slimhalf", width=(8 * spec.width + 1) / 6)


def twobranch(spec: BackboneSpec) -> Backbone:
    """The net for `spec`; `width` is the sharp branch's.

    Raises:
        UsageError: The input size is no crop convention, or the embedding cannot be halved.
    """
    return TwoBranch(spec)


def join_branches(joined: Backbone, sharp: Backbone, small: Backbone, crops: Tensor, share: float) -> None:
    """Fills a `twobranch` with the weights of two nets that were trained apart.

    Args:
        joined: The `twobranch`.
        sharp: Its sharp branch, see `branch_specs`, on the CPU.
        small: Its small branch, likewise.
        crops: float32 [N, 3, H, W], see `normalise_crops`: sharp faces, some hundred.
        share: The sharp branch's weight in the similarity of such faces, above 0 and below 1; it falls with their rows.
    """
    joined.load_state_dict(sharp.state_dict() | {f"small.{name}": value for name, value in small.state_dict().items()})
    with torch.no_grad():
        starts = range(0, len(crops), _AT_ONCE)
        parts = [sharp.eval()(crops[start : start + _AT_ONCE]).embedding for start in starts]
        length = torch.linalg.vector_norm(torch.cat(parts), dim=1).square().mean().sqrt()
        (projection,) = (module for module in joined.neck.modules() if isinstance(module, nn.Linear))
        for values in (projection.weight, projection.bias):
            values.mul_(math.sqrt(share / (1 - share)) / length)
