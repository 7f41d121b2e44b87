"""What every backbone is: a few stages, then a neck that turns the last map into an embedding."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from facedistill.backbones.blocks import ACTIVATIONS, initialise
from facedistill.backbones.preprocessing import OUR_MEAN, OUR_STD, Preprocessing
from facedistill.checks import MOST_EMBEDDING, MOST_SIDE, MOST_WIDTH, check_count, check_number
from facedistill.errors import UsageError
from facedistill.outputs import Outputs
from facedistill.registry import look_up

_LEAST_SIDE = 32


@dataclass(frozen=True)
class BackboneSpec:
    """The arguments that rebuild a backbone.

    Attributes:
        name: The net's name in the registry.
        embedding_size: Length D of the embedding.
        input_size: (height, width) of the crops in pixels, each at least 32.
        width: Factor on all channel counts, above 0.
        se: Whether residual branches carry squeeze-and-excitation.
        activation: Name of the activation.
    """

    name: str
    embedding_size: int
    input_size: tuple[int, int]
    width: float
    se: bool
    activation: str

    def __post_init__(self) -> None:
        check_count("embedding_size", self.embedding_size, most=MOST_EMBEDDING)
        for side in self.input_size:
            check_count("each side of input_size", side, _LEAST_SIDE, MOST_SIDE)
        check_number("width", self.width, above=0, high=MOST_WIDTH)
        if not isinstance(self.se, bool):
            raise UsageError(f"se must be true or false, not {self.se!r}")
        look_up("activation", ACTIVATIONS, self.activation)

    def final_size(self, halvings: int) -> tuple[int, int]:
        """(height, width) of the map after so many halvings, each rounded up."""
        height, width = self.input_size
        return -(-height // 2**halvings), -(-width // 2**halvings)


class Backbone(nn.Module):
    """Face crops [B, 3, H, W] (see `normalise_crops`) -> `Outputs` without logits.

    `Outputs.features` holds each stage's output, from shallow to deep.

    Attributes:
        embedding_size: Length D of the embedding.
        input_size: (height, width) of the crops.
        spec: The arguments of `build_backbone` that rebuild the net, as plain JSON types.
        preprocessing: What its weights were trained on; that of `normalise_crops`, but for weights of others.
    """

    preprocessing = Preprocessing()

    def __init__(self, spec: BackboneSpec, stages: Iterable[nn.Module], neck: nn.Module) -> None:
        super().__init__()
        self.embedding_size = spec.embedding_size
        self.input_size = spec.input_size
        self.spec: dict[str, Any] = {**asdict(spec), "input_size": list(spec.input_size)}
        self.stages = nn.ModuleList(stages)
        self.neck = neck
        initialise(self)

    def forward(self, crops: Tensor) -> Outputs:
        """Float crops [B, 3, H, W] -> embedding [B, D] and the stages' maps."""
        features = self.maps(crops)
        return Outputs(embedding=self.embed(features[-1]), features=features)

    def maps(self, crops: Tensor) -> tuple[Tensor, ...]:
        """Float crops [B, 3, H, W] -> each stage's maps [B, c, h, w], from shallow to deep."""
        features = []
        for stage in self.stages:
            crops = stage(crops)
            features.append(crops)
        return tuple(features)

    def embed(self, last: Tensor) -> Tensor:
        """The last stage's maps -> embedding [B, D]."""
        embedding: Tensor = self.neck(last)
        return embedding

    if TYPE_CHECKING:

        def __call__(self, crops: Tensor) -> Outputs:
            """`forward`, typed."""


def normalise_crops(crops: Tensor) -> Tensor:
    """The one preprocessing of our nets: uint8 RGB [B, H, W, 3] -> float32 [B, 3, H, W] = (x - 127.5) / 128.

    Raises:
        UsageError: The tensor has another dtype or shape.
    """
    if crops.dtype != torch.uint8:
        raise UsageError(f"crops must be uint8 (0..255), not {str(crops.dtype).removeprefix('torch.')}")
    if crops.ndim != 4 or crops.shape[3] != 3:
        raise UsageError(f"crops must be [B, H, W, 3], not {list(crops.shape)}")
    return (crops.permute(0, 3, 1, 2).to(torch.float32) - OUR_MEAN) / OUR_STD
