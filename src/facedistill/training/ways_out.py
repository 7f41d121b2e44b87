"""The state of a training on every way out: written as it was after the last whole step."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from facedistill.errors import FacedistillError
from facedistill.processes import process_count
from facedistill.progress import notify

_MOST_VALUES = 1 << 20  # of a buffer that is copied at each step: norms' statistics, not queues of embeddings


class Step:
    """Where a training is within a step.

    A step that fails before it moves the weights has still changed the statistics of norms; `undo` puts those back.

    Args:
        task: The net with its head and losses.
    """

    def __init__(self, task: nn.Module) -> None:
        self._buffers = [buffer for buffer in task.buffers() if buffer.numel() <= _MOST_VALUES]
        self._before: list[Tensor] | None = None
        self._moving = False

    def begin(self) -> None:
        """The step begins; nothing has changed yet."""
        self._before = [buffer.clone() for buffer in self._buffers]

    def move(self) -> None:
        """The weights change from here on."""
        self._moving = True

    def end(self) -> None:
        """The step is whole."""
        self._before, self._moving = None, False

    def undo(self) -> bool:
        """Back to the last whole step; False where the weights are between two steps."""
        if self._moving:
            return False
        with torch.no_grad():
            for buffer, before in zip(self._buffers, self._before or self._buffers, strict=True):
                buffer.copy_(before)
        self._before = None
        return True


@contextmanager
def kept_on_every_way_out(step: Step, keep: Callable[[], None]) -> Iterator[None]:
    """Calls `keep` when an exception ends what stands inside, whatever it is, with the state of the last whole step.

    Not where other processes are at work, which `keep` would wait for; nor between two steps' weights, as after a
    second Ctrl-C: the state of the last validation stays there.
    """
    try:
        yield
    except BaseException:
        if process_count() == 1 and step.undo():
            try:
                keep()
            except FacedistillError as failure:  # such as of a full disk, which may have ended the training as well
                notify(f"the last state is not kept: {failure}")
        raise
