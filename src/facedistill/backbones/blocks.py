"""Building blocks that the families of backbones share.

Every block is conv -> batch norm -> activation, in that order, so that a runtime
folds the norm into the convolution (a norm before a padded conv does not fold).
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from facedistill.registry import look_up

# PReLU is the field's habit but costs about 4x on CPU runtimes; ReLU and ReLU6 fold into the convolution.
ACTIVATIONS: dict[str, Callable[[int], nn.Module]] = {
    "relu": lambda _channels: nn.ReLU(inplace=True),
    "relu6": lambda _channels: nn.ReLU6(inplace=True),
    "prelu": lambda channels: nn.PReLU(channels),
}


def activation_layer(name: str, channels: int) -> nn.Module:
    """The activation called `name` for maps of `channels` channels.

    Raises:
        UsageError: No activation has that name.
    """
    return look_up("activation", ACTIVATIONS, name)(channels)


def scaled(channels: float, width: float) -> int:
    """`channels * width` as the nearest multiple of 8, at least 8: what vector units like."""
    return max(8, 8 * round(channels * width / 8))


class ConvBnAct(nn.Sequential):
    """Convolution without bias, batch norm, and an activation unless `activation` is None.

    Padding keeps the size at stride 1; stride 2 halves it, rounded up.
    """

    def __init__(
        self, inside: int, outside: int, kernel: int = 3, *, stride: int = 1, groups: int = 1, activation: str | None
    ) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(inside, outside, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outside),
        ]
        if activation is not None:
            layers.append(activation_layer(activation, outside))
        super().__init__(*layers)


class SqueezeExcitation(nn.Module):
    """Scales each channel by a gate in 0..1 computed from all channels' means (Hu et al. 2018, reduction 16).

    The gate is a hard sigmoid (Howard et al. 2019): no exponential, exact 0 and 1 at its ends, a range
    that is known before calibration, so int8 keeps it on a fixed scale. Both layers are 1x1 convolutions,
    which every runtime quantises.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = scaled(channels, 1 / reduction)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, hidden, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, channels, 1),
            nn.Hardsigmoid(),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """[B, C, h, w] -> the same shape."""
        return torch.mul(maps, self.gate(maps))


class Bottleneck(nn.Module):
    """1x1 expansion, 3x3 depthwise, linear 1x1 projection, SE; the input is added where the shape allows.

    The inverted bottleneck of Sandler et al. 2018. An expansion of 1 is left out.
    """

    def __init__(self, inside: int, outside: int, expansion: int, *, stride: int, se: bool, activation: str) -> None:
        super().__init__()
        hidden = inside * expansion
        self.adds_input = stride == 1 and inside == outside
        self.branch = nn.Sequential(
            *([ConvBnAct(inside, hidden, 1, activation=activation)] if expansion > 1 else []),
            ConvBnAct(hidden, hidden, 3, stride=stride, groups=hidden, activation=activation),
            ConvBnAct(hidden, outside, 1, activation=None),
            SqueezeExcitation(outside) if se else nn.Identity(),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """[B, inside, h, w] -> [B, outside, h / stride, w / stride]."""
        result: Tensor = self.branch(maps)
        return maps + result if self.adds_input else result


def bottlenecks(
    inside: int, groups: Iterable[tuple[int, int, int, int]], *, width: float, se: bool, activation: str
) -> tuple[list[nn.Module], int]:
    """Bottlenecks in a row, and the channels of the last.

    Args:
        inside: Channels of the maps.
        groups: Expansion, channels before the width, repeats, and the stride of the first bottleneck of each group.
        width: Factor on the channels.
        se: Whether each ends in squeeze-and-excitation.
        activation: Name of the activation.
    """
    blocks: list[nn.Module] = []
    for expansion, channels, repeats, first in groups:
        for stride in (first, *[1] * (repeats - 1)):
            outside = scaled(channels, width)
            blocks.append(Bottleneck(inside, outside, expansion, stride=stride, se=se, activation=activation))
            inside = outside
    return blocks, inside


def initialise(net: nn.Module) -> None:
    """Draws all weights from torch's global generator: He et al. 2015 for convolutions, 1/sqrt(fan in) for linears."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
