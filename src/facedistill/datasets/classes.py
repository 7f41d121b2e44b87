"""Pictures in a folder for each class, split within each class; and scikit-learn's digits in that layout."""

import hashlib
import secrets
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facedistill.datasets.face import Face, FaceSet, find_damage
from facedistill.datasets.folder import FolderFaces
from facedistill.datasets.split import Subset
from facedistill.errors import FacedistillError, UsageError
from facedistill.files import cache_folder
from facedistill.pictures import encode_picture, read_picture

DIGITS = "digits"

_DIGITS_FOLDER = "digits-1"
_BRIGHTEST = 16  # of scikit-learn's digits


class ClassPictures(FolderFaces):
    """A folder for each class with pictures of any size, each scaled to one size when it is read.

    Args:
        folder: The root of the tree; the folder that holds a picture is its class.
        size: (height, width) of every picture; the sides are scaled apart.

    Raises:
        UsageError: There is no such folder, or it holds no pictures in folders.
    """

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        if not folder.is_dir():
            raise UsageError(
                f"recipe: classification.pictures: {folder} is no folder; name one with a folder for each class, or "
                f"{DIGITS!r}"
            )
        super().__init__(folder)
        self.size = size

    def __getitem__(self, index: int) -> Face:
        """Reads one picture.

        Raises:
            UnreadablePicture: The file is damaged.
        """
        path = self._files[index]
        image = read_picture(self.folder / path)
        height, width = self.size
        if image.shape[:2] != self.size:
            shrinks = image.shape[0] > height or image.shape[1] > width
            way = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
            image = np.asarray(cv2.resize(image, (width, height), interpolation=way), dtype=np.uint8)
        return Face(image, self._numbers[path.parent.as_posix()], path.as_posix())

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the pictures' paths and content, and the size they are scaled to."""
        return hashlib.sha256(f"{super().digest} {self.size}".encode()).hexdigest()


def open_classes(name: str, size: tuple[int, int]) -> ClassPictures:
    """Opens `digits`, or a folder for each class.

    Raises:
        UsageError: There is no such folder, or it holds no pictures in folders.
    """
    return ClassPictures(_digits() if name == DIGITS else Path(name), size)


def split_pictures(pictures: FaceSet, shares: Sequence[float], seed: int) -> tuple[Subset, ...]:
    """Splits a set within each class, so that every class is in every part; the last part takes what is left over.

    Args:
        pictures: The set; damaged pictures are in no part.
        shares: The share of each class's pictures in each part but the last; rounded, at least one picture.
        seed: Of the random split.

    Returns:
        One more subset than `shares`.

    Raises:
        UsageError: A class has too few pictures for all parts.
    """
    damaged = [damage.index for damage in find_damage(pictures)]
    labels = pictures.labels
    random = np.random.default_rng(seed)
    parts: list[list[NDArray[np.int64]]] = [[] for _ in range(len(shares) + 1)]
    for label in range(pictures.classes):
        places = random.permutation(np.setdiff1d(np.flatnonzero(labels == label), damaged))
        counts = [max(1, round(share * len(places))) for share in shares]
        while sum(counts) >= len(places) and max(counts) > 1:  # rounding up may leave nothing to train on
            counts[counts.index(max(counts))] -= 1
        if sum(counts) >= len(places):
            example = pictures[int(places[0])].key if len(places) else f"class {label}"
            raise UsageError(
                f"the class of {example} has {len(places)} sound pictures, too few to split into training, validation "
                "and test; add some, or leave the class out"
            )
        for part, chosen in zip(parts, np.split(places, np.cumsum(counts)), strict=True):
            part.append(chosen)
    return tuple(Subset(pictures, np.sort(np.concatenate(part))) for part in parts)


def _digits() -> Path:
    """The folder of scikit-learn's 1797 digits (Alpaydin and Kaynak 1998), 8x8 pixels; made once."""
    folder = cache_folder() / _DIGITS_FOLDER
    if folder.is_dir():
        return folder
    from sklearn.datasets import load_digits

    digits = load_digits()
    unfinished = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    try:
        for index, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
            grey = np.rint(image * (255 / _BRIGHTEST)).astype(np.uint8)
            path = unfinished / str(label) / f"{index:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_picture(np.repeat(grey[:, :, None], 3, axis=2), ".png"))
        if not folder.is_dir():  # another process may have been faster
            unfinished.rename(folder)
    except OSError as error:
        raise FacedistillError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder
