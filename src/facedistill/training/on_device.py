"""Views and degradation in batches on the device of the training; the CPU does one picture after the other.

The loader draws what becomes of each picture and reads it; where the set fits into the device's memory it lies there,
and the loader draws only. Both ways draw the same of a seed and a position; pictures differ by rounding (see `Views`
and `DrawnVariance`), and are the same each time on one kind of device. JPEG is compressed on the CPU in between.

On the CPU batches are slower: by slim-m's recipe, on one busy AVX-512 core, a picture's view took 1.6 ms, not 1.0, and
its degradation .7, not .2. Decoding the stored JPEG took .14 ms there, so decoded pictures are not kept on disk.
"""

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from facedistill.datasets import FaceSet
from facedistill.foreign import foreign_failure
from facedistill.progress import track
from facedistill.training.data import AugmentedFaces, Batch
from facedistill.training.drawn import Drawn
from facedistill.variance.drawn import DrawnVariance

_BLOCK = 1024  # faces that are brought to the device at once
_SHARE = 0.5  # of the device's free memory that the set may take; the steps need the rest


@dataclass(frozen=True)
class DrawnSample:
    """A picture that is drawn, and read unless the set lies on the device."""

    index: int
    drawn: Drawn
    changes: tuple[Any, ...]
    picture: NDArray[np.uint8] | None
    partner: NDArray[np.uint8] | None
    key: str


@dataclass(frozen=True)
class DrawnBatch:
    """Faces of one step that are drawn and not yet shown.

    Attributes:
        batch: The batch without its crops and views.
        flipped: bool [B], which pictures are mirrored before the view.
        drawn: What is drawn for each picture.
        changes: For each variance, what is drawn for each picture; None where it leaves one as it is.
        pictures: uint8 [B, H, W, 3] as stored; None where the set lies on the device.
        partners: uint8 [P, H, W, 3], the second faces of those pictures that have one; likewise.
    """

    batch: Batch
    flipped: Tensor
    drawn: tuple[Drawn, ...]
    changes: tuple[tuple[Any, ...], ...]
    pictures: Tensor | None
    partners: Tensor | None

    def pin_memory(self) -> "DrawnBatch":
        """The same in pinned memory, as the loader does for batches that can."""
        pictures = None if self.pictures is None else self.pictures.pin_memory()
        return replace(self, pictures=pictures, partners=None if self.partners is None else self.partners.pin_memory())


class FacesOnDevice(Dataset[DrawnSample]):
    """Augmented faces whose views and degradation are for a device to do; indexed as `AugmentedFaces`.

    Args:
        augmented: The faces; all their variances are `DrawnVariance`s.
        device: Where their pictures become crops.
        resident: Whether the stored set is brought to the device once; None does it where the set takes at most half of
            the device's free memory, which only CUDA reports. A growing set never is.
    """

    def __init__(self, augmented: AugmentedFaces, device: torch.device, resident: bool | None = None) -> None:
        self.augmented = augmented
        self.faces, self.seed, self.growing = augmented.faces, augmented.seed, augmented.growing
        self.device = device
        self._variances = [change for change in augmented.variance if isinstance(change, DrawnVariance)]
        self._keys: tuple[str, ...] = ()
        self._stored: Tensor | None = None
        if self.growing is None and (_fits(augmented.stored, device) if resident is None else resident):
            self._stored, self._keys = _brought(augmented.stored, device)

    def __getstate__(self) -> dict[str, Any]:
        """For the processes of the loader, which read no picture where the set lies on the device."""
        return {**self.__dict__, "_stored": None, "_keys": self._keys and ("",)}

    def __getitem__(self, place: tuple[int, int]) -> DrawnSample:
        _, index = place
        drawn, rng = self.augmented.drawn(place)
        cut = self.augmented.student_cut
        changes = tuple(change.draw(rng, cut.height, cut.width) for change in self._variances)
        if self._keys:
            return DrawnSample(index, drawn, changes, None, None, "")
        face = self.augmented.stored[index]
        partner = None if drawn.second is None else self.augmented.stored[drawn.second].image
        return DrawnSample(index, drawn, changes, face.image, partner, face.key)

    def drawable(self, position: int) -> int:
        """See `AugmentedFaces.drawable`."""
        return self.augmented.drawable(position)

    def collate(self, samples: Sequence[DrawnSample]) -> DrawnBatch:
        """The samples as one batch."""
        labels = self.faces.labels
        indices = np.array([sample.index for sample in samples])
        seconds = [sample.index if sample.drawn.second is None else sample.drawn.second for sample in samples]
        mixed = self.augmented.views.needs_partner
        numbers = [sample.drawn.number for sample in samples if sample.drawn.number is not None]
        batch = Batch(
            crops=torch.empty(0),
            labels=torch.from_numpy(labels[indices]),
            indices=torch.from_numpy(indices),
            mirrored=torch.tensor([sample.drawn.shows_mirrored for sample in samples]),
            keys=tuple(sample.key for sample in samples),
            second_labels=torch.from_numpy(labels[np.array(seconds)]) if mixed else None,
            shares=torch.tensor([sample.drawn.share for sample in samples], dtype=torch.float32) if mixed else None,
            rows=torch.tensor([self._rows_left(sample) for sample in samples], dtype=torch.float32),
            view_numbers=torch.tensor(numbers) if numbers else None,
        )
        pictures = [sample.picture for sample in samples if sample.picture is not None]
        partners = [sample.partner for sample in samples if sample.partner is not None]
        return DrawnBatch(
            batch,
            torch.tensor([sample.drawn.mirrored for sample in samples]),
            tuple(sample.drawn for sample in samples),
            tuple(zip(*(sample.changes for sample in samples), strict=True)),
            torch.from_numpy(np.stack(pictures)) if pictures else None,
            torch.from_numpy(np.stack(partners)) if partners else None,
        )

    @torch.no_grad()
    def shown(self, drawn: DrawnBatch) -> Batch:
        """The batch on the device, its views and degraded crops made there.

        Raises:
            FacedistillError: A view of another package fails.
        """
        try:
            return self._shown(drawn)
        except (Exception, SystemExit) as error:
            if failure := foreign_failure(error):
                raise failure from error
            raise

    def _shown(self, drawn: DrawnBatch) -> Batch:
        faces = self.augmented
        draws = [each.view for each in drawn.drawn]
        pictures, partners = self._pictures(drawn)
        crops = faces.views.apply_batch(pictures, partners, draws, faces.student_cut).pictures
        views = None
        if faces.teacher_cut == faces.student_cut:
            views = crops
        elif faces.teacher_cut is not None:
            views = faces.views.apply_batch(pictures, partners, draws, faces.teacher_cut).pictures
        for variance, changes in zip(self._variances, drawn.changes, strict=True):
            crops = variance.apply_batch(crops, changes)
        keys = drawn.batch.keys
        if self._stored is not None:
            keys = tuple(self._keys[index] for index in drawn.batch.indices.tolist())
        batch = drawn.batch.to(self.device)
        return batch._replace(
            crops=_channels_last(crops), views=None if views is None else _channels_last(views), keys=keys
        )

    def _pictures(self, drawn: DrawnBatch) -> tuple[Tensor, Tensor | None]:
        """The stored pictures, some of them mirrored, and second ones if any has one: uint8 [B, 3, H, W] each."""
        places = [place for place, each in enumerate(drawn.drawn) if each.second is not None]
        seconds = [each.second for each in drawn.drawn if each.second is not None]
        if self._stored is not None:
            first = self._stored[drawn.batch.indices.to(self.device)]
            second = self._stored[torch.tensor(seconds, device=self.device)] if seconds else None
        else:
            assert drawn.pictures is not None, "the loader read them"
            first = drawn.pictures.to(self.device, non_blocking=True)
            second = None if drawn.partners is None else drawn.partners.to(self.device, non_blocking=True)
        flipped = drawn.flipped.to(self.device)[:, None, None, None]
        pictures = torch.where(flipped, first.flip(2), first)
        partners = None
        if second is not None:
            partners = torch.zeros_like(pictures)
            partners[torch.tensor(places, device=self.device)] = second
            partners = partners.permute(0, 3, 1, 2)
        return pictures.permute(0, 3, 1, 2), partners

    def _rows_left(self, sample: DrawnSample) -> int:
        rows = self.augmented.student_cut.height
        for variance, drawn in zip(self._variances, sample.changes, strict=True):
            if drawn is not None:
                rows = min(rows, variance.rows_left(drawn) or rows)
        return rows


def faces_for(augmented: AugmentedFaces | FacesOnDevice, device: torch.device) -> AugmentedFaces | FacesOnDevice:
    """The faces in the way that is right for a device: in batches on an accelerator, one after the other on the CPU.

    A variance of another package changes one picture at a time, so all pictures then stay on the CPU; so they do for
    `FacesOnDevice` that are given, which go on as they are.
    """
    if isinstance(augmented, FacesOnDevice) or device.type == "cpu":
        return augmented
    drawn = all(isinstance(change, DrawnVariance) for change in augmented.variance)
    return FacesOnDevice(augmented, device) if drawn else augmented


def on_device(
    loader: Iterator[Any], faces: AugmentedFaces | FacesOnDevice, device: torch.device
) -> Generator[Batch, None, None]:
    """The batches of a loader on a device; while a step runs, the next batch is made on a stream of its own."""
    if not isinstance(faces, FacesOnDevice):
        yield from (batch.to(device) for batch in loader)
        return
    stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def following() -> Batch | None:
        drawn = next(loader, None)
        if drawn is None:
            return None
        if stream is None:
            return faces.shown(drawn)
        with torch.cuda.stream(stream):
            batch = faces.shown(drawn)
            stream.synchronize()  # in this thread; the step goes on meanwhile
            return batch

    batch = following()  # here, as it starts the loader's processes
    with ThreadPoolExecutor(1) as ahead:
        while batch is not None:
            future = ahead.submit(following)
            if stream is not None:
                _used_by_step(batch)
            yield batch
            batch = future.result()


def first_batch(faces: AugmentedFaces | FacesOnDevice, size: int, device: torch.device) -> Batch:
    """A batch of the first faces of a set on a device, made without a loader."""
    places = [(place, place % len(faces.faces)) for place in range(size)]
    if isinstance(faces, FacesOnDevice):
        return faces.shown(faces.collate([faces[place] for place in places]))
    return faces.collate([faces[place] for place in places]).to(device)


def _used_by_step(batch: Batch) -> None:
    """Keeps the memory of a batch until the step that uses it is done, which runs on another stream."""
    for value in batch:
        if isinstance(value, Tensor) and value.is_cuda:
            value.record_stream(torch.cuda.current_stream(value.device))


def _fits(stored: FaceSet, device: torch.device) -> bool:
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    height, width = stored.size
    return len(stored) * height * width * 3 <= _SHARE * free


def _brought(stored: FaceSet, device: torch.device) -> tuple[Tensor, tuple[str, ...]]:
    """All pictures of a set on a device, uint8 [N, H, W, 3], and their keys."""
    pictures = torch.empty((len(stored), *stored.size, 3), dtype=torch.uint8, device=device)
    keys: list[str] = []
    with ThreadPoolExecutor() as readers:
        for start in track(range(0, len(stored), _BLOCK), "faces to the device", unit="blocks"):
            places = range(start, min(start + _BLOCK, len(stored)))
            faces = list(readers.map(stored.__getitem__, places))
            pictures[start : start + len(faces)] = torch.from_numpy(np.stack([face.image for face in faces])).to(device)
            keys += [face.key for face in faces]
    return pictures, tuple(keys)


def _channels_last(pictures: Tensor) -> Tensor:
    """[B, 3, H, W] -> [B, H, W, 3]."""
    return pictures.permute(0, 2, 3, 1)
