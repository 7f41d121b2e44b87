"""Collectives over the processes of a distributed run; with one process, they do nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def process_count() -> int:
    """Processes of the run; 1 where torch.distributed is not initialised."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def process_rank() -> int:
    """This process's number, from 0."""
    return dist.get_rank() if process_count() > 1 else 0


def all_gather(rows: Tensor) -> Tensor:
    """The rows of all processes, in their order: [B, ...] -> [processes * B, ...]; no gradient.

    Every process must give as many rows as the others.
    """
    rows = rows.detach()
    if process_count() == 1:
        return rows
    parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(process_count())]
    dist.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


def all_reduce_sum(tensor: Tensor) -> Tensor:
    """The sum over all processes; no gradient."""
    return _reduced(tensor, dist.ReduceOp.SUM)


def all_reduce_max(tensor: Tensor) -> Tensor:
    """The maximum over all processes; no gradient."""
    return _reduced(tensor, dist.ReduceOp.MAX)


def _reduced(tensor: Tensor, operation: "dist.ReduceOp.RedOpType") -> Tensor:
    tensor = tensor.detach()
    if process_count() > 1:
        tensor = tensor.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(tensor, operation)
    return tensor


def barrier() -> None:
    """Returns once every process has come here."""
    if process_count() > 1:
        all_reduce_sum(torch.zeros(()))


@contextmanager
def first_process_first() -> Iterator[None]:
    """Process 0 does what stands inside; the others do it when it is done, and find what it wrote."""
    if process_rank():
        barrier()
    yield
    if not process_rank():
        barrier()


def broadcast_from_first(number: float) -> float:
    """Process 0's number, in all processes."""
    value = torch.tensor(number, dtype=torch.float64)
    if process_count() > 1:
        dist.broadcast(value, 0)
    return value.item()


class _AllGather(torch.autograd.Function):
    """All processes' rows; backward, the own ones' gradient times the number of processes, by which DDP divides."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.rows = len(rows)
        return all_gather(rows).clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        start = process_rank() * ctx.rows
        return process_count() * gradient[start : start + ctx.rows]


_all_gather: Callable[[Tensor], Tensor] = _AllGather.apply


def all_gather_with_gradient(rows: Tensor) -> Tensor:
    """`all_gather`, for a loss that every process then computes alike.

    The gradient is what DDP expects, which averages over the processes: the weights move as if one process had seen
    all rows.
    """
    return _all_gather(rows) if process_count() > 1 else rows
