"""How large a backbone is and how much work one face costs."""

import copy
import math

import torch
from torch import Tensor, nn

from facedistill.backbones.base import Backbone


def count_parameters(net: nn.Module) -> int:
    """Number of learned weights (running statistics of batch norms not included)."""
    return sum(parameter.numel() for parameter in net.parameters())


def count_macs(net: Backbone) -> int:
    """Multiply-accumulates of all convolutions and linear layers for one face."""
    macs = 0

    def add(layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal macs
        if isinstance(layer, nn.Conv2d):
            macs += output.numel() * (layer.in_channels // layer.groups) * math.prod(layer.kernel_size)
        elif isinstance(layer, nn.Linear):
            macs += output.numel() * layer.in_features

    # A copy without storage: shapes are all we need, and the caller's net keeps its mode and hooks.
    shadow = copy.deepcopy(net).to("meta").eval()
    for layer in shadow.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(add)
    with torch.no_grad():
        shadow(torch.empty(1, 3, *net.input_size, device="meta"))
    return macs
