"""Which faces make up a batch: positions in the run, and the faces that stand there.

Everything follows from the seed and the position, so a resumed run meets the faces it would have met, and several
processes, each of which takes its own share of every batch, get those that one would have met.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from facedistill.datasets.growing import GrowingPeople
from facedistill.processes import process_count, process_rank

_SHUFFLE, _BALANCE = 0, 2  # streams of random numbers that must not meet; the pictures' is 1


class Batches(Sampler[list[tuple[int, int]]]):
    """This process's shares of the batches from `first_step` to `steps`, as (position, index).

    The last, incomplete batch of an epoch is filled from the next one, so every step has `batch_size` faces. An epoch
    of a growing set is of those people who may be drawn from at its first position.

    Args:
        batch_size: Faces in a batch of all processes together, a multiple of their number.
        first_step: The first step.
        steps: The step after the last.
        seed: Decides the order.
        growing: Who may be drawn from; None for all.
        stopped: Ends the waiting for people, and the batches with it.
    """

    def __init__(
        self,
        batch_size: int,
        first_step: int,
        steps: int,
        seed: int,
        growing: GrowingPeople | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self.batch_size = batch_size
        self.first_step = first_step
        self.steps = steps
        self.seed = seed
        self.growing = growing
        # Of several processes none stops alone: the others would wait for it.
        self.stopped = stopped if process_count() == 1 else lambda: False

    @abstractmethod
    def length(self, position: int) -> int:
        """Positions in an epoch that begins at `position`."""

    @abstractmethod
    def order(self, epoch: int, length: int) -> NDArray[np.int64]:
        """int64 [length]: the faces of an epoch."""

    def __len__(self) -> int:
        return self.steps - self.first_step

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        share = self.batch_size // process_count()
        epoch, begins, ends, order = -1, 0, 0, np.empty(0, np.int64)
        for step in range(self.first_step, self.steps):
            if self.growing is not None and not self.growing.wait((step + 1) * self.batch_size, self.stopped):
                return
            first = step * self.batch_size + process_rank() * share
            batch = []
            for position in range(first, first + share):
                if position >= ends:
                    while position >= ends:
                        epoch, begins, ends = epoch + 1, ends, ends + self.length(ends)
                    order = self.order(epoch, ends - begins)
                batch.append((position, int(order[position - begins])))
            yield batch


class ShuffledBatches(Batches):
    """Each epoch shows every face once, shuffled anew. Takes 8 bytes a face.

    Args:
        faces: Faces in the set.
        batch_size: See `Batches`, as the others.
        first_step: See there.
        steps: See there.
        seed: See there.
        growing: See there.
        stopped: See there.
    """

    def __init__(
        self,
        faces: int,
        batch_size: int,
        first_step: int,
        steps: int,
        seed: int,
        growing: GrowingPeople | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(batch_size, first_step, steps, seed, growing, stopped)
        self._faces = faces

    def length(self, position: int) -> int:
        """The faces there are."""
        return self._faces if self.growing is None else self.growing.faces(position)

    def order(self, epoch: int, length: int) -> NDArray[np.int64]:
        """A permutation."""
        return np.random.default_rng((self.seed, _SHUFFLE, epoch)).permutation(length)


class BalancedBatches(Batches):
    """Each epoch shows every person once, shuffled anew, by a face drawn at random. Takes 8 bytes a face.

    Args:
        labels: int64 [N], who each face shows.
        batch_size: See `Batches`, as the others.
        first_step: See there.
        steps: See there.
        seed: See there.
        growing: See there.
        stopped: See there.
    """

    def __init__(
        self,
        labels: NDArray[np.int64],
        batch_size: int,
        first_step: int,
        steps: int,
        seed: int,
        growing: GrowingPeople | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(batch_size, first_step, steps, seed, growing, stopped)
        counts = np.bincount(labels)
        starts = np.cumsum(counts) - counts
        self._counts, self._starts = counts[counts > 0], starts[counts > 0]
        self._by_person = np.argsort(labels, kind="stable")

    def length(self, position: int) -> int:
        """The people there are."""
        return len(self._counts) if self.growing is None else self.growing.people(position)

    def order(self, epoch: int, length: int) -> NDArray[np.int64]:
        """A face of each person."""
        rng = np.random.default_rng((self.seed, _BALANCE, epoch))
        drawn = self._starts[:length] + rng.integers(self._counts[:length])
        return rng.permutation(self._by_person[drawn])
