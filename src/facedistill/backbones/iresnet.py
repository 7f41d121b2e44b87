"""The improved residual nets of insightface (Deng et al. 2019; He et al. 2016): `iresnet50`, `iresnet100`.

Modules carry the names that insightface's arcface_torch gives them, so its `backbone.pth` fits key by key. Its units
begin with a norm, which does not fold into the padded convolution behind it: these nets are meant as teachers.
"""

from collections.abc import Callable

from torch import Tensor, nn

from facedistill.backbones.base import Backbone, BackboneSpec
from facedistill.backbones.blocks import SqueezeExcitation, activation_layer, initialise, scaled

UNITS = {"iresnet50": (3, 4, 14, 3), "iresnet100": (3, 13, 30, 3)}
CHANNELS = (64, 128, 256, 512)


class IResUnit(nn.Module):
    """x + SE(norm(conv(act(norm(conv(norm(x))))))), two 3x3 convolutions, the second of which strides."""

    def __init__(self, inside: int, outside: int, *, stride: int, se: bool, activation: str) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inside)
        self.conv1 = nn.Conv2d(inside, outside, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.prelu = activation_layer(activation, outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(outside)
        self.se = SqueezeExcitation(outside) if se else nn.Identity()
        self.downsample: nn.Module = nn.Identity()
        if stride > 1:
            convolution = nn.Conv2d(inside, outside, 1, stride, bias=False)
            self.downsample = nn.Sequential(convolution, nn.BatchNorm2d(outside))

    def forward(self, maps: Tensor) -> Tensor:
        """[B, inside, h, w] -> [B, outside, h / stride, w / stride]."""
        branch = self.conv1(self.bn1(maps))
        branch = self.bn3(self.conv2(self.prelu(self.bn2(branch))))
        result: Tensor = self.se(branch) + self.downsample(maps)
        return result


class IResNet(Backbone):
    """The net for `spec` with so many units per stage; its four stages end at 1/2, 1/4, 1/8 and 1/16."""

    def __init__(self, spec: BackboneSpec, units: tuple[int, int, int, int]) -> None:
        super().__init__(spec, stages=(), neck=nn.Identity())
        inside = scaled(CHANNELS[0], spec.width)
        self.conv1 = nn.Conv2d(3, inside, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(inside)
        self.prelu = activation_layer(spec.activation, inside)
        for number, (channels, count) in enumerate(zip(CHANNELS, units, strict=True), start=1):
            outside = scaled(channels, spec.width)
            layer = nn.Sequential()
            for index in range(count):
                stride = 2 if index == 0 else 1
                layer.append(IResUnit(inside, outside, stride=stride, se=spec.se, activation=spec.activation))
                inside = outside
            self.add_module(f"layer{number}", layer)
        height, width = spec.final_size(halvings=len(units))
        self.bn2 = nn.BatchNorm2d(inside)
        self.fc = nn.Linear(inside * height * width, spec.embedding_size)
        self.features = nn.BatchNorm1d(spec.embedding_size)
        initialise(self)

    def maps(self, crops: Tensor) -> tuple[Tensor, ...]:
        """Float crops [B, 3, H, W] -> each stage's maps [B, c, h, w], from shallow to deep."""
        if offset := self.preprocessing.offset:
            crops = crops + offset
        maps = self.prelu(self.bn1(self.conv1(crops)))
        features = []
        for number in range(1, len(CHANNELS) + 1):
            maps = self.get_submodule(f"layer{number}")(maps)
            features.append(maps)
        return tuple(features)

    def embed(self, last: Tensor) -> Tensor:
        """The last stage's maps -> embedding [B, D]."""
        embedding: Tensor = self.features(self.fc(self.bn2(last).flatten(1)))
        return embedding


def iresnet(units: tuple[int, int, int, int]) -> Callable[[BackboneSpec], Backbone]:
    """A builder of the net with so many residual units per stage."""
    return lambda spec: IResNet(spec, units)
