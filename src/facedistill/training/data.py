"""From a face set to batches: augmented crops for the student, and which face each of them is of.

Everything random about a picture follows from (seed, its position in the run), so batches do not depend on
the number of workers and a resumed run continues with the very pictures it would have seen.
"""

import signal
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from facedistill.datasets import FaceSet
from facedistill.errors import FacedistillError
from facedistill.recipe import Recipe
from facedistill.training.sampling import BalancedBatches, ShuffledBatches
from facedistill.variance import Variance

_PICTURE = 1  # a stream of random numbers of its own, see `sampling`


class Batch(NamedTuple):
    """Faces for one step.

    Attributes:
        crops: uint8 [B, H, W, 3], RGB, augmented: the student's input.
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
        return self._replace(
            crops=self.crops.to(device, non_blocking=True), labels=self.labels.to(device, non_blocking=True)
        )


@dataclass(frozen=True)
class _Sample:
    crop: NDArray[np.uint8]
    label: int
    index: int
    mirrored: bool
    key: str


class AugmentedFaces(Dataset[_Sample]):
    """Mirrored and degraded faces, the student's input; indexed by (position in the run, index in the set).

    Args:
        faces: The face set.
        variance: What degrades each crop, in this order.
        mirror: Whether half of the faces are mirrored first.
        seed: Of everything random about a picture.
    """

    def __init__(self, faces: FaceSet, variance: Sequence[Variance], mirror: bool, seed: int) -> None:
        self.faces = faces
        self.variance = tuple(variance)
        self.mirror = mirror
        self.seed = seed

    def __getitem__(self, place: tuple[int, int]) -> _Sample:
        position, index = place
        rng = np.random.default_rng((self.seed, _PICTURE, position))
        face = self.faces[index]
        mirrored = self.mirror and bool(rng.random() < 0.5)
        crop = face.image[:, ::-1] if mirrored else face.image
        crop = np.ascontiguousarray(crop)
        for change in self.variance:
            crop = change(crop, rng)
        return _Sample(crop, face.label, index, mirrored, face.key)


class _CaughtErrors(Dataset["_Sample | FacedistillError"]):
    """Gives an error instead of raising it: the loader would hang a traceback on its message."""

    def __init__(self, augmented: AugmentedFaces) -> None:
        self._augmented = augmented

    def __getitem__(self, place: tuple[int, int]) -> "_Sample | FacedistillError":
        try:
            return self._augmented[place]
        except FacedistillError as error:
            return error


def collate(samples: Sequence[_Sample]) -> Batch:
    """The samples as one batch."""
    return Batch(
        crops=torch.from_numpy(np.stack([face.crop for face in samples])),
        labels=torch.tensor([face.label for face in samples]),
        indices=torch.tensor([face.index for face in samples]),
        mirrored=torch.tensor([face.mirrored for face in samples]),
        keys=tuple(face.key for face in samples),
    )


def _collate_or_error(items: Sequence["_Sample | FacedistillError"]) -> Batch | FacedistillError:
    error = next((item for item in items if isinstance(item, FacedistillError)), None)
    return error or collate([item for item in items if isinstance(item, _Sample)])


def _start_worker(_worker: int) -> None:
    cv2.setNumThreads(0)  # workers are the parallelism; threads inside them only fight over the cores
    for ending in (signal.SIGINT, signal.SIGTERM):  # they are for the loop, which first saves its state
        signal.signal(ending, signal.SIG_IGN)


def batches(augmented: AugmentedFaces, recipe: Recipe, first_step: int, workers: int) -> Generator[Batch, None, None]:
    """This process's shares of the batches from `first_step` to the recipe's last.

    Args:
        augmented: The student's input.
        recipe: Its batch size, steps and sampling.
        first_step: Steps done.
        workers: Processes that prepare pictures; 0 prepares them in this one.

    Raises:
        FacedistillError: The set has fewer faces than a batch, or a picture is damaged.
    """
    faces = augmented.faces
    if len(faces) < recipe.batch_size:
        raise FacedistillError(
            f"the face set has {len(faces)} faces to train on, fewer than batch_size {recipe.batch_size}; "
            "lower batch_size or add faces"
        )
    order = (recipe.batch_size, first_step, recipe.steps, augmented.seed)
    balanced = recipe.data.sampling == "balanced"
    loader: DataLoader[_Sample | FacedistillError] = DataLoader(
        _CaughtErrors(augmented),
        batch_sampler=BalancedBatches(faces.labels, *order) if balanced else ShuffledBatches(len(faces), *order),
        num_workers=workers,
        collate_fn=_collate_or_error,
        worker_init_fn=_start_worker,
        prefetch_factor=4 if workers else None,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # its own: starting a loader must not draw from the run's random numbers
    )
    iterator = iter(loader)
    try:
        for batch in iterator:
            if isinstance(batch, FacedistillError):
                raise batch
            yield batch
    finally:
        if workers:  # the traceback of an error would hold them, and they keep the program from ending
            iterator._shutdown_workers()  # type: ignore[attr-defined]
