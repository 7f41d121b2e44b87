"""From a face set to batches: augmented crops for the student, and which face each of them is of.

Everything random about a picture follows from (seed, its position in the run), so batches do not depend on
the number of workers and a resumed run continues with the very pictures it would have seen.
"""

import os
import signal
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from facedistill.checks import read_count
from facedistill.datasets import FaceSet
from facedistill.datasets.growing import GrowingPeople
from facedistill.errors import FacedistillError
from facedistill.foreign import foreign_failure
from facedistill.recipe import Recipe
from facedistill.training.drawn import Drawn
from facedistill.training.in_batches import FacesInBatches
from facedistill.training.sampling import BalancedBatches, ShuffledBatches
from facedistill.training.stopping import stop_signals
from facedistill.variance import Variance
from facedistill.variance.checked import CheckedVariance
from facedistill.variance.drawn import DrawnVariance
from facedistill.views import Cut, Views
from facedistill.workers import end_with_parent

_PICTURE, _VIEW = 1, 4  # streams of random numbers of their own, see `sampling` and `loop`


class Batch(NamedTuple):
    """Faces for one step.

    Attributes:
        crops: uint8 [B, H, W, 3], RGB, augmented: the student's input.
        labels: int64 [B].
        indices: int64 [B], positions in the face set.
        mirrored: bool [B]: which faces are mirror images.
        keys: The faces' names, for messages.
        views: uint8 [B, h, w, 3]: the teacher's crops of the same views, before the student's were degraded; None where
            the teacher is not shown them.
        second_labels: int64 [B]: who else is in the picture; the label itself where nobody is.
        shares: float32 [B], 0..1: the share of the first face.
        rows: float32 [B]: how many rows of pixels are left of each of the student's crops.
        view_numbers: int64 [B]: which of its face's fixed views each is; None where views are drawn anew.
    """

    crops: Tensor
    labels: Tensor
    indices: Tensor
    mirrored: Tensor
    keys: tuple[str, ...]
    views: Tensor | None = None
    second_labels: Tensor | None = None
    shares: Tensor | None = None
    rows: Tensor | None = None
    view_numbers: Tensor | None = None

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device."""
        moved = ("crops", "labels", "views", "second_labels", "shares", "rows")
        values = {name: getattr(self, name) for name in moved}
        return self._replace(
            **{name: value.to(device, non_blocking=True) for name, value in values.items() if value is not None}
        )


@dataclass(frozen=True)
class Sample:
    """A face of a batch, see `Batch`."""

    crop: NDArray[np.uint8]
    label: int
    index: int
    mirrored: bool
    key: str
    view: NDArray[np.uint8] | None = None
    second_label: int | None = None
    share: float = 1.0
    rows: int = 0
    view_number: int | None = None


class AugmentedFaces(Dataset[Sample]):
    """Mirrored and degraded faces, the student's input; indexed by (position in the run, index in the set).

    `ViewedFaces` shows them in other ways besides.

    Args:
        faces: The face set.
        variance: What degrades each crop, in this order.
        mirror: Whether half of the faces are mirrored first.
        seed: Of everything random about a picture.
        growing: Who may be drawn from, where the set grows.

    Attributes:
        stored: The faces out of which crops are cut.
        views: In which they are shown.
        student_cut: Where the student's crop lies in a view.
        teacher_cut: Where the teacher's lies; None where the teacher is not shown the views.
    """

    def __init__(
        self,
        faces: FaceSet,
        variance: Sequence[Variance],
        mirror: bool,
        seed: int,
        growing: GrowingPeople | None = None,
    ) -> None:
        self.faces = faces
        self.variance = tuple(variance)
        self.mirror = mirror
        self.seed = seed
        self.growing = growing
        self.stored = faces
        self.views = Views()
        self.student_cut = Cut.whole(*faces.size)
        self.teacher_cut: Cut | None = None

    def drawable(self, position: int) -> int:
        """Number of faces, the first ones of the set, that may be drawn from at a position in the run."""
        return len(self.faces) if self.growing is None else self.growing.faces(position)

    def __getitem__(self, place: tuple[int, int]) -> Sample:
        _, index = place
        drawn, rng = self.drawn(place)
        face = self.faces[index]
        crop = face.image[:, ::-1] if drawn.mirrored else face.image
        crop = np.ascontiguousarray(crop)
        degraded, rows = self.degraded(crop, rng)
        return Sample(degraded, face.label, index, drawn.mirrored, face.key, rows=rows)

    def drawn(self, place: tuple[int, int]) -> tuple[Drawn, np.random.Generator]:
        """What is drawn for a picture, and the random numbers of its degradation."""
        rng = picture_rng(self.seed, place[0])
        mirrored = self.mirror and bool(rng.random() < 0.5)
        return Drawn(mirrored, self.views.draw(rng, *self.stored.size)), rng

    def collate(self, samples: "Sequence[Any]") -> "Batch":
        """The samples as one batch."""
        return collate(samples)

    def degraded(self, crop: NDArray[np.uint8], rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
        """The student's crop, of uint8 [H, W, 3], and how many rows of pixels are left of it."""
        rows = len(crop)
        for change in self.variance:
            if isinstance(change, DrawnVariance):
                drawn = change.draw(rng, *crop.shape[:2])
                if drawn is not None:
                    crop = change.change(crop, drawn)
                    rows = min(rows, change.rows_left(drawn) or rows)
            elif isinstance(change, CheckedVariance):
                crop, left = change.with_rows(crop, rng)
                rows = min(rows, left or rows)
            else:
                crop = change(crop, rng)
        return crop, rows


def picture_rng(seed: int, position: int) -> np.random.Generator:
    """Of everything random about the picture at a position in the run."""
    return np.random.default_rng((seed, _PICTURE, position))


def view_rng(seed: int, index: int, number: int) -> np.random.Generator:
    """Of everything random about a fixed view of a face."""
    return np.random.default_rng((seed, _VIEW, index, number))


class _CaughtErrors(Dataset[Any]):
    """Gives an error instead of raising it: the loader would hang a traceback on its message."""

    def __init__(self, augmented: FacesInBatches) -> None:
        self._augmented = augmented

    def __getitem__(self, place: tuple[int, int]) -> Any:
        try:
            return self._augmented[place]
        except FacedistillError as error:
            return error
        except (Exception, SystemExit, GeneratorExit) as error:  # from another process it would come without its place
            if failure := foreign_failure(error):
                return failure
            raise


def collate(samples: Sequence[Sample]) -> Batch:
    """The samples as one batch."""
    views = [face.view for face in samples if face.view is not None]
    numbers = [face.view_number for face in samples if face.view_number is not None]
    mixed = any(face.second_label is not None for face in samples)
    seconds = [face.label if face.second_label is None else face.second_label for face in samples]
    return Batch(
        crops=torch.from_numpy(np.stack([face.crop for face in samples])),
        labels=torch.tensor([face.label for face in samples]),
        indices=torch.tensor([face.index for face in samples]),
        mirrored=torch.tensor([face.mirrored for face in samples]),
        keys=tuple(face.key for face in samples),
        views=torch.from_numpy(np.stack(views)) if views else None,
        second_labels=torch.tensor(seconds) if mixed else None,
        shares=torch.tensor([face.share for face in samples], dtype=torch.float32) if mixed else None,
        rows=torch.tensor([face.rows for face in samples], dtype=torch.float32),
        view_numbers=torch.tensor(numbers) if numbers else None,
    )


def _collate_or_error(items: Sequence[Any], augmented: FacesInBatches) -> Any:
    error = next((item for item in items if isinstance(item, FacedistillError)), None)
    return error or augmented.collate(items)


def _start_worker(_worker: int) -> None:
    cv2.setNumThreads(0)  # workers are the parallelism; threads inside them only fight over the cores
    for ending in stop_signals():  # they are for the loop, which first saves its state
        signal.signal(ending, signal.SIG_IGN)
    end_with_parent()


def batches(
    augmented: FacesInBatches,
    recipe: Recipe,
    first_step: int,
    workers: int,
    stopped: Callable[[], bool] = lambda: False,
) -> Generator[Any, None, None]:
    """This process's shares of the batches from `first_step` to the recipe's last.

    Args:
        augmented: The faces; their own `collate` makes the batches.
        recipe: Its batch size, steps and sampling.
        first_step: Steps done.
        workers: Processes that prepare pictures; 0 prepares them in this one.
        stopped: Ends the waiting for the people of a growing set, and the batches with it.

    Raises:
        FacedistillError: The set has fewer faces than a batch, a picture is damaged, or people cannot be rendered.
    """
    faces, count = augmented.faces, augmented.drawable(0)
    if count < recipe.batch_size:
        raise FacedistillError(
            f"the face set has {count} faces to train on, fewer than batch_size {recipe.batch_size}; "
            "lower batch_size or add faces"
        )
    order = (recipe.batch_size, first_step, recipe.steps, augmented.seed, augmented.growing, stopped)
    balanced = recipe.data.sampling == "balanced"
    loader: DataLoader[Any] = DataLoader(
        _CaughtErrors(augmented),
        batch_sampler=BalancedBatches(faces.labels, *order) if balanced else ShuffledBatches(len(faces), *order),
        num_workers=workers,
        collate_fn=partial(_collate_or_error, augmented=augmented),
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
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise FacedistillError(
            "a process that prepares pictures was killed, perhaps for want of memory; run it again with fewer workers"
        ) from error
    finally:
        if workers:  # the traceback of an error would hold them, and they keep the program from ending
            iterator._shutdown_workers()  # type: ignore[attr-defined]


def default_workers() -> int:
    """One process for every two cores prepares pictures; the others belong to the nets that are trained here."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    return min(8, max(1, cores // (2 * read_count("LOCAL_WORLD_SIZE", os.environ.get("LOCAL_WORLD_SIZE", "1")))))
