"""From a face set to batches: what the student is shown, and which face the teacher was shown.

Everything random about a picture follows from (seed, its position in the run), so batches do not depend on
the number of workers and a resumed run continues with the very pictures it would have seen.
"""

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from facedistill.datasets import FaceSet
from facedistill.errors import FacedistillError
from facedistill.variance import Variance

_SHUFFLE, _PICTURE = 0, 1  # streams of random numbers that must not meet


@dataclass(frozen=True)
class Batch:
    """Faces for one step.

    Attributes:
        crops: uint8 [B, H, W, 3], RGB, as the student is shown them.
        labels: int64 [B].
        indices: int64 [B], positions in the face set.
        mirrored: bool [B]: which faces are mirror images.
        keys: The faces' names, for messages.
    """

    crops: Tensor
    labels: Tensor
    indices: Tensor
    mirrored: Tensor
    keys: tuple[str, ...]

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device."""
        return Batch(
            self.crops.to(device, non_blocking=True),
            self.labels.to(device, non_blocking=True),
            self.indices,
            self.mirrored,
            self.keys,
        )


@dataclass(frozen=True)
class _Shown:
    crop: NDArray[np.uint8]
    label: int
    index: int
    mirrored: bool
    key: str


class ShownFaces(Dataset[_Shown]):
    """Faces as the student is shown them; indexed by (position in the run, index in the set)."""

    def __init__(self, faces: FaceSet, variance: Sequence[Variance], mirror: bool, seed: int) -> None:
        self.faces = faces
        self.variance = tuple(variance)
        self.mirror = mirror
        self.seed = seed

    def __getitem__(self, place: tuple[int, int]) -> _Shown:
        position, index = place
        rng = np.random.default_rng((self.seed, _PICTURE, position))
        face = self.faces[index]
        mirrored = self.mirror and bool(rng.random() < 0.5)
        crop = face.image[:, ::-1] if mirrored else face.image
        crop = np.ascontiguousarray(crop)
        for change in self.variance:
            crop = change(crop, rng)
        return _Shown(crop, face.label, index, mirrored, face.key)


class ShuffledBatches(Sampler[list[tuple[int, int]]]):
    """Batches of (position, index), each epoch shuffled anew, from `first_step` to `steps`.

    The last, incomplete batch of an epoch is filled from the next one, so every step has `batch_size` faces.
    """

    def __init__(self, faces: int, batch_size: int, first_step: int, steps: int, seed: int) -> None:
        self.faces = faces
        self.batch_size = batch_size
        self.first_step = first_step
        self.steps = steps
        self.seed = seed

    def __len__(self) -> int:
        return self.steps - self.first_step

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch, order = -1, np.empty(0, np.int64)
        for step in range(self.first_step, self.steps):
            batch = []
            for position in range(step * self.batch_size, (step + 1) * self.batch_size):
                if position // self.faces != epoch:
                    epoch = position // self.faces
                    order = np.random.default_rng((self.seed, _SHUFFLE, epoch)).permutation(self.faces)
                batch.append((position, int(order[position % self.faces])))
            yield batch


def _collate(shown: list[_Shown]) -> Batch:
    return Batch(
        crops=torch.from_numpy(np.stack([face.crop for face in shown])),
        labels=torch.tensor([face.label for face in shown]),
        indices=torch.tensor([face.index for face in shown]),
        mirrored=torch.tensor([face.mirrored for face in shown]),
        keys=tuple(face.key for face in shown),
    )


def _start_worker(_worker: int) -> None:
    cv2.setNumThreads(0)  # workers are the parallelism; threads inside them only fight over the cores
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the loop, which first saves its state


def batches(shown: ShownFaces, batch_size: int, first_step: int, steps: int, workers: int) -> DataLoader[_Shown]:
    """A loader of `Batch` for the steps `first_step` to `steps`.

    Raises:
        FacedistillError: The set has fewer faces than a batch.
    """
    if len(shown.faces) < batch_size:
        raise FacedistillError(
            f"the face set has {len(shown.faces)} faces to train on, fewer than batch_size {batch_size}; "
            "lower batch_size or add faces"
        )
    return DataLoader(
        shown,
        batch_sampler=ShuffledBatches(len(shown.faces), batch_size, first_step, steps, shown.seed),
        num_workers=workers,
        collate_fn=_collate,
        worker_init_fn=_start_worker,
        prefetch_factor=4 if workers else None,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # its own: starting a loader must not draw from the run's random numbers
    )
