"""Queues of the last teacher embeddings, and of what belongs to them, that a loss keeps while it trains."""

import torch
from torch import Tensor

from facedistill.errors import UsageError


def queued(name: str, queue: Tensor, batch: Tensor, length: int) -> Tensor:
    """The queue with a batch at its end and without what is too old: the last `length` rows, never less than the batch.

    A new tensor, for the former one may still be needed by a backward pass. It holds only rows that were put in, so a
    queue that is not full yet is a shorter one.

    Args:
        name: The loss, for the message.
        queue: [n, ...], the oldest first; [0, ...] of any sizes at first.
        batch: [B, ...], for type and device.
        length: At least 1.

    Raises:
        UsageError: The queue's rows are of another length.
    """
    if not len(queue):
        return batch
    if queue.shape[1:] != batch.shape[1:]:
        raise UsageError(
            f"loss {name!r}: its queue holds embeddings of length {queue.shape[1]}, the teacher's are of "
            f"{batch.shape[1]}; resume with the same teacher or start anew"
        )
    return torch.cat((queue.to(batch), batch))[-max(length, len(batch)) :]
