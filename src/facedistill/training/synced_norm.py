"""Batch normalisation over the faces of all processes.

Each process holds but its share of the batch. With the statistics of the whole one, several processes train as one
does.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

from facedistill.processes import all_gather, all_reduce_sum, process_count


class SyncedBatchNorm(nn.Module):
    """A batch norm of any number of dimensions whose batch is that of all processes; its state is the given one's.

    Args:
        norm: With running statistics and a fixed momentum; its parameters and buffers are taken over.
    """

    weight: nn.Parameter | None
    bias: nn.Parameter | None
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
        super().__init__()
        self.eps = norm.eps
        self.momentum = 0.1 if norm.momentum is None else norm.momentum
        for name, parameter in norm.named_parameters():
            self.register_parameter(name, parameter)
        for name, buffer in norm.named_buffers():
            self.register_buffer(name, buffer)
        self.train(norm.training)

    def forward(self, maps: Tensor) -> Tensor:
        """[B, C, ...] -> the same shape; as many faces as in every other process."""
        if not self.training:
            return batch_norm(maps, self.running_mean, self.running_var, self.weight, self.bias, False, 0, self.eps)
        normalised, mean, variance = _normalised(maps, self.weight, self.bias, self.eps)
        with torch.no_grad():
            count = process_count() * maps.numel() // maps.shape[1]
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / max(1, count - 1)), self.momentum)
            self.num_batches_tracked += 1
        return normalised


def synchronise_norms(net: nn.Module, device: torch.device) -> None:
    """Replaces every batch norm inside `net`; names and values in its state dict stay the same.

    Args:
        net: Is changed.
        device: On GPUs torch has faster kernels, which it lacks elsewhere.
    """
    if device.type == "cuda":
        convert: Callable[[nn.Module], nn.Module] = nn.SyncBatchNorm.convert_sync_batchnorm
        convert(net)
        return
    for module in list(net.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
                setattr(module, name, SyncedBatchNorm(child))


class _Normalised(torch.autograd.Function):
    """(x - mean) / sqrt(var + eps) * weight + bias, with mean and biased variance, [C] each, of all processes' x."""

    @staticmethod
    def forward(
        ctx: Any, maps: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        exact = maps.to(torch.promote_types(maps.dtype, torch.float32))
        variance, mean = torch.var_mean(exact, _all_but_channels(maps), correction=0)
        means, variances = all_gather(torch.stack((mean, variance))[None]).unbind(1)  # [processes, C] each
        mean = means.mean(0)  # the shares are equal
        variance = variances.mean(0) + (means - mean).square().mean(0)
        scale = (variance + eps).rsqrt()
        ctx.save_for_backward(exact, weight, mean, scale)
        whitened = (exact - _wide(mean, maps)) * _wide(scale if weight is None else scale * weight, maps)
        ctx.mark_non_differentiable(mean, variance)
        return (whitened if bias is None else whitened + _wide(bias, maps)).to(maps.dtype), mean, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_moments: Tensor) -> tuple[Tensor | None, ...]:
        maps, weight, mean, scale = ctx.saved_tensors
        given = gradient.to(maps.dtype)
        whitened = (maps - _wide(mean, maps)) * _wide(scale, maps)
        channels = _all_but_channels(maps)
        own = torch.stack((given.sum(channels), (given * whitened).sum(channels)))
        # The mean over all faces: every face's value moved mean and variance, in whichever process it was used.
        means = all_reduce_sum(own) / (process_count() * maps.numel() // maps.shape[1])
        left = given - _wide(means[0], maps) - whitened * _wide(means[1], maps)
        back = left * _wide(scale if weight is None else scale * weight, maps)
        return back.to(gradient.dtype), own[1] if weight is not None else None, own[0], None


_normalised: Callable[[Tensor, Tensor | None, Tensor | None, float], tuple[Tensor, Tensor, Tensor]] = _Normalised.apply


def _all_but_channels(maps: Tensor) -> list[int]:
    return [dimension for dimension in range(maps.ndim) if dimension != 1]


def _wide(channels: Tensor, maps: Tensor) -> Tensor:
    """[C] -> [1, C, 1, ...], to stand beside the maps."""
    return channels.view(1, -1, *[1] * (maps.ndim - 2))
