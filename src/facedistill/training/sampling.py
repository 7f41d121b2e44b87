"""Which faces make up a batch: positions in the run, and the faces that stand there.

Everything follows from the seed and the position, so a resumed run meets the faces it would have met, and several
processes, each of which takes its own share of every batch, get those that one would have met.
"""

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from facedistill.processes import process_count, process_rank

_SHUFFLE, _BALANCE = 0, 2  # streams of random numbers that must not meet; the pictures' is 1


class Batches(Sampler[list[tuple[int, int]]]):
    """This process's shares of the batches from `first_step` to `steps`, as (position, index).

    The last, incomplete batch of an epoch is filled from the next one, so every step has `batch_size` faces.

    Args:
        epoch_length: Positions in an epoch.
        batch_size: Faces in a batch of all processes together, a multiple of their number.
        first_step: The first step.
        steps: The step after the last.
        seed: Decides the order.
    """

    def __init__(self, epoch_length: int, batch_size: int, first_step: int, steps: int, seed: int) -> None:
        self.epoch_length = epoch_length
        self.batch_size = batch_size
        self.first_step = first_step
        self.steps = steps
        self.seed = seed

    @abstractmethod
    def order(self, epoch: int) -> NDArray[np.int64]:
        """int64 [epoch_length]: the faces of an epoch."""

    def __len__(self) -> int:
        return self.steps - self.first_step

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        share = self.batch_size // process_count()
        epoch, order = -1, np.empty(0, np.int64)
        for step in range(self.first_step, self.steps):
            first = step * self.batch_size + process_rank() * share
            batch = []
            for position in range(first, first + share):
                if position // self.epoch_length != epoch:
                    epoch = position // self.epoch_length
                    order = self.order(epoch)
                batch.append((position, int(order[position % self.epoch_length])))
            yield batch


class ShuffledBatches(Batches):
    """Each epoch shows every face once, shuffled anew. Takes 8 bytes a face.

    Args:
        faces: Faces in the set.
        batch_size: See `Batches`, as the others.
        first_step: See there.
        steps: See there.
        seed: See there.
    """

    def __init__(self, faces: int, batch_size: int, first_step: int, steps: int, seed: int) -> None:
        super().__init__(faces, batch_size, first_step, steps, seed)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """A permutation."""
        return np.random.default_rng((self.seed, _SHUFFLE, epoch)).permutation(self.epoch_length)


class BalancedBatches(Batches):
    """Each epoch shows every person once, shuffled anew, by a face drawn at random. Takes 8 bytes a face.

    Args:
        labels: int64 [N], who each face shows.
        batch_size: See `Batches`, as the others.
        first_step: See there.
        steps: See there.
        seed: See there.
    """

    def __init__(self, labels: NDArray[np.int64], batch_size: int, first_step: int, steps: int, seed: int) -> None:
        counts = np.bincount(labels)
        starts = np.cumsum(counts) - counts
        self._counts, self._starts = counts[counts > 0], starts[counts > 0]
        self._by_person = np.argsort(labels, kind="stable")
        super().__init__(len(self._counts), batch_size, first_step, steps, seed)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """A face of each person."""
        rng = np.random.default_rng((self.seed, _BALANCE, epoch))
        drawn = self._starts + rng.integers(self._counts)
        return rng.permutation(self._by_person[drawn])
