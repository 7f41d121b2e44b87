"""dlib's face-recognition net (King 2017) as a net that can be trained on; `teachers.start` fills in its weights.

The norms are those of a finished net, so they are part of the convolutions: no statistics of a batch of other faces
can shift what it knows.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample, pad

from facedistill.backbones.base import Backbone, BackboneSpec
from facedistill.backbones.blocks import SqueezeExcitation, activation_layer, scaled
from facedistill.faces import CROP_150X150, crop_convention, similarity_transform

# Per stage: its channels, and which of its units halve the map.
STAGES = (
    (32, (False, False, False)),
    (64, (True, False, False, False)),
    (128, (True, False, False)),
    (256, (True, False, False, True)),
)


# (channels inside, channels outside, stride, padding) -> a 3x3 convolution with bias, or what stands in for it.
MakeConvolution = Callable[[int, int, int, int], nn.Module]


def convolution_3x3(inside: int, outside: int, stride: int, padding: int) -> nn.Conv2d:
    """The convolution of dlib's own net."""
    return nn.Conv2d(inside, outside, 3, stride, padding)


class DlibUnit(nn.Module):
    """relu(second(relu(first(x))) + x); where it halves, x is averaged over 2x2, and zeros fill the smaller summand."""

    def __init__(
        self, inside: int, outside: int, *, halves: bool, se: bool, activation: str, convolution: MakeConvolution
    ) -> None:
        super().__init__()
        self.missing = outside - inside
        self.first = convolution(inside, outside, 2 if halves else 1, 0 if halves else 1)
        self.inner = activation_layer(activation, outside)
        self.second = convolution(outside, outside, 1, 1)
        self.gate = SqueezeExcitation(outside) if se else nn.Identity()
        self.pool = nn.AvgPool2d(2) if halves else nn.Identity()
        self.outer = activation_layer(activation, outside)

    def forward(self, maps: Tensor) -> Tensor:
        """[B, inside, h, w] -> [B, outside, h, w], or half as high and wide, rounded down."""
        branch = self.gate(self.second(self.inner(self.first(maps))))
        maps = pad(self.pool(maps), (0, 0, 0, 0, 0, self.missing))
        # An even side leaves the convolution, which pads nothing, one row and column short of the average.
        short = (0, maps.shape[3] - branch.shape[3], 0, maps.shape[2] - branch.shape[2])
        result: Tensor = self.outer(maps + pad(branch, short))
        return result


class DlibCrop(nn.Module):
    """Cuts dlib's 150x150 window out of crops of another convention, as `faces.recrop` does, but for its rounding."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        wanted, present = CROP_150X150, crop_convention(size)
        matrix = np.vstack([similarity_transform(present.template, wanted.template), [0, 0, 1]])
        theta = _to_unit(present.size) @ np.linalg.inv(_to_unit(wanted.size) @ matrix)
        self.theta: list[list[float]] | None = None if wanted == present else theta[:2].tolist()

    def forward(self, crops: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, 3, 150, 150]."""
        if self.theta is None:
            return crops
        theta = torch.tensor(self.theta, device=crops.device)
        grid = affine_grid(theta.expand(crops.shape[0], 2, 3), [crops.shape[0], 3, *CROP_150X150.size], False)
        return grid_sample(crops, grid.to(crops.dtype), padding_mode="border", align_corners=False)


def _to_unit(size: tuple[int, int]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """From pixels (x, y), centres at whole numbers, to -1..1 from border to border: float64 [3, 3]."""
    height, width = size
    return np.array([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]])


def dlibresnet(spec: BackboneSpec) -> Backbone:
    """The net for `spec`; its four stages end at 35, 17, 8 and 2 rows of the 150x150 window, whatever the input size.

    Raises:
        UsageError: The input size is no crop convention.
    """
    return dlib_units(spec, [scaled(channels, spec.width) for channels, _ in STAGES], convolution_3x3)


def dlib_units(spec: BackboneSpec, widths: Sequence[int], convolution: MakeConvolution, bias: bool = False) -> Backbone:
    """Stem, residual units and projection of dlib's net, with any channels and convolutions.

    Args:
        spec: What to build.
        widths: Channels of the four stages.
        convolution: Makes the two convolutions of each unit.
        bias: Whether the projection has a bias.

    Raises:
        UsageError: The input size is no crop convention.
    """
    inside = widths[0]
    stages = []
    for number, (outside, (_, halvings)) in enumerate(zip(widths, STAGES, strict=True)):
        layers: list[nn.Module] = []
        if number == 0:
            stem = nn.Conv2d(3, inside, 7, 2)
            layers = [DlibCrop(spec.input_size), stem, activation_layer(spec.activation, inside), nn.MaxPool2d(3, 2)]
        for halves in halvings:
            unit = DlibUnit(
                inside, outside, halves=halves, se=spec.se, activation=spec.activation, convolution=convolution
            )
            layers.append(unit)
            inside = outside
        stages.append(nn.Sequential(*layers))
    neck = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inside, spec.embedding_size, bias=bias))
    net = Backbone(spec, stages, neck)
    for module in net.modules():
        if isinstance(module, DlibUnit):
            # Without norms, units that add nothing at first keep the maps in bounds (Zhang et al. 2019, "Fixup").
            last = [layer for layer in module.second.modules() if isinstance(layer, nn.Conv2d)][-1]
            nn.init.zeros_(last.weight)
    return net
