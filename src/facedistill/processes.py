"""What losses and heads ask of the other processes of a distributed run; with one process, nothing."""

import torch
import torch.distributed as dist
from torch import Tensor


def process_count() -> int:
    """Processes of the run; 1 where torch.distributed is not initialised."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def process_rank() -> int:
    """This process's number, from 0."""
    return dist.get_rank() if process_count() > 1 else 0


def gathered(rows: Tensor) -> Tensor:
    """The rows of all processes, in their order: [B, ...] -> [processes * B, ...]; no gradient.

    Every process must give as many rows as the others.
    """
    rows = rows.detach()
    if process_count() == 1:
        return rows
    parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(process_count())]
    dist.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


def total(tensor: Tensor) -> Tensor:
    """The sum over all processes; no gradient."""
    return _reduced(tensor, dist.ReduceOp.SUM)


def greatest(tensor: Tensor) -> Tensor:
    """The maximum over all processes; no gradient."""
    return _reduced(tensor, dist.ReduceOp.MAX)


def _reduced(tensor: Tensor, operation: "dist.ReduceOp.RedOpType") -> Tensor:
    tensor = tensor.detach()
    if process_count() > 1:
        tensor = tensor.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(tensor, operation)
    return tensor
