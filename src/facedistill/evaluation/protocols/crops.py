"""Pictures of a protocol as the model's crops, and their embeddings; what fails is counted."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import FacedistillError
from facedistill.evaluation.embedding import Crop, Embed, embed_batch
from facedistill.evaluation.metrics import Float, Int, unit_rows
from facedistill.faces import (
    CROP_112X96,
    CROP_112X112,
    CROP_150X150,
    Detector,
    align,
    crop_convention,
    find_face,
    recrop,
)
from facedistill.pictures import UnreadablePicture, read_picture
from facedistill.variance import degrade_face

_ALIGNED = {convention.size for convention in (CROP_112X96, CROP_112X112, CROP_150X150)}
_CROPS_AT_ONCE = 64


class CropReader:
    """Reads pictures as crops of one size.

    Args:
        size: (height, width) of a crop convention.

    Attributes:
        failures: For the figures of a protocol: "pictures" that were to be read so far, how many of them are
            "unreadable", and "no_face", in how many no face was found or none could be aligned.

    Raises:
        UsageError: No crop convention has that size.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        crop_convention(size)
        self._size = size
        self.failures = {"pictures": 0, "unreadable": 0, "no_face": 0}

    def read(self, path: Path) -> Crop | None:
        """The picture's crop: cut anew where the picture is of a crop convention's size, else found and aligned.

        Returns:
            uint8 [height, width, 3], or None where the picture cannot be read or no face is found in it.
        """
        image = self._image(path)
        if image is None:
            return None
        if image.shape[:2] in _ALIGNED:
            return image if image.shape[:2] == self._size else recrop(image, self._size)
        found = find_face(self._detector, image)
        return self._aligned(image, None if found is None else found.landmarks)

    def read_at(self, path: Path, landmarks: Float) -> Crop | None:
        """The crop of the face whose landmarks [5, 2] a protocol lists; None as for `read`."""
        image = self._image(path)
        return None if image is None else self._aligned(image, landmarks)

    @cached_property
    def _detector(self) -> Detector:
        return Detector()

    def _image(self, path: Path) -> NDArray[np.uint8] | None:
        self.failures["pictures"] += 1
        try:
            return read_picture(path)
        except UnreadablePicture:
            self.failures["unreadable"] += 1
            return None

    def _aligned(self, image: NDArray[np.uint8], landmarks: Float | None) -> Crop | None:
        if landmarks is not None:
            try:
                return align(image, landmarks, self._size)
            except FacedistillError:  # such as landmarks that coincide
                pass
        self.failures["no_face"] += 1
        return None


def fitted(embed: Embed, size: tuple[int, int]) -> Embed:
    """`embed` for crops of every convention: those of another size than the model's are cropped anew."""
    return lambda crops: embed(crops if crops.shape[1:3] == size else np.stack([recrop(crop, size) for crop in crops]))


def at_rows(embed: Embed, rows: int) -> Embed:
    """The same model for crops that `variance.degrade_face` has shrunk to `rows` rows and enlarged back."""
    return lambda crops: embed(np.stack([degrade_face(crop, rows) for crop in crops]))


def embed_crops(embed: Embed, crops: Iterable[Crop | None], what: str) -> Iterator[tuple[Int, Float]]:
    """Embeds crops as they come, a batch at a time.

    Every embedding is brought to length one, as an exported file does: a net and its file get the same figures.

    Args:
        embed: uint8 [B, H, W, 3] -> [B, D].
        crops: Crops of one size; None where there is none.
        what: Their name in an error message.

    Yields:
        Places int64 [b] in `crops`, those of None left out, and unit embeddings float64 [b, D].

    Raises:
        FacedistillError: An embedding is zero, NaN or infinite, or their number is not that of the crops.
    """
    found = ((place, crop) for place, crop in enumerate(crops) if crop is not None)
    while batch := list(islice(found, _CROPS_AT_ONCE)):
        places, images = zip(*batch, strict=True)
        rows = embed_batch(embed, images)
        yield np.array(places, dtype=np.int64), unit_rows(rows, f"the embeddings of {what} from {places[0] + 1} on")


def embed_all(embed: Embed, crops: Iterable[Crop | None], what: str) -> tuple[Int, Float]:
    """What `embed_crops` yields in one: places int64 [n] and unit embeddings [n, D], of which there may be none."""
    batches = [*embed_crops(embed, crops, what)] or [(np.zeros(0, dtype=np.int64), np.zeros((0, 1)))]
    return np.concatenate([places for places, _ in batches]), np.concatenate([rows for _, rows in batches])
