"""Aligned faces as a folder for each person, and the opening of face sets of every kind."""

import hashlib
import os
import warnings
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets.face import Face, FaceSet
from facedistill.datasets.recordio_set import RecordFaces
from facedistill.errors import FacedistillWarning, UsageError
from facedistill.files import file_digest
from facedistill.pictures import (
    NO_PICTURES,
    LeftOut,
    UnreadablePicture,
    check_picture,
    counted,
    read_picture,
    walk_pictures,
)
from facedistill.recordio import PROPERTY, RECORDS, find_records

_SUFFIXES = {".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"}


def open_face_set(path: Path | str) -> FaceSet:
    """Opens a RecordIO set, or a folder for each person with aligned pictures of one size.

    Raises:
        UsageError: There is no such folder, or nothing in it is a face set.
        FacedistillError: The set is damaged.
    """
    path = Path(path)
    if not path.is_dir():
        reason = "is no folder" if path.exists() else "does not exist"
        raise UsageError(f"{path} {reason}; name the folder of a face set, such as `facedistill prepare` makes")
    if find_records(path) or (path / PROPERTY).exists():
        return RecordFaces(path)
    return FolderFaces(path)


class FolderFaces:
    """A tree of aligned pictures; the folder that holds a picture is its person.

    People are numbered by the order of their folders' paths, pictures ordered by person, then by name; a key is the
    picture's path within the tree. A file is a picture by its name (.jpg, .png, ...) or by how it begins. Links are
    followed. What is hidden, or a system keeps among pictures, is left out (`facedistill.pictures.walk_pictures`). A
    warning counts what is left out, other files than pictures aside.

    Attributes:
        folder: The root of the tree.
        people: The people's folders within the root; a label is an index into it.
        classes: Number of people.
        size: (height, width) of every picture.
        left_out: Files and folders of the tree that are no pictures of the set, with the reason.

    Raises:
        UsageError: The tree holds no pictures, or one lies beside the people's folders.
        UnreadablePicture: Not one picture can be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        files, self.left_out = _pictures(self.folder)
        self._files = sorted(map(Path, files), key=lambda path: (path.parent.parts, path.name))
        if not self._files:
            raise UsageError(
                f"{self.folder} is no face set: it holds neither {RECORDS} nor person/picture files; "
                "make one with `facedistill prepare`"
            )
        if not self._files[0].parent.parts:
            raise UsageError(f"{self.folder / self._files[0]} lies in no person's folder; put it into one")
        self.people = tuple(dict.fromkeys(path.parent.as_posix() for path in self._files))
        self.classes = len(self.people)
        self._numbers = {person: number for number, person in enumerate(self.people)}
        self.size = self._first_size()
        if lost := [each for each in self.left_out if each.kind not in NO_PICTURES]:
            warnings.warn(
                f"{self.folder} has {len(self)} pictures; left out: {counted(lost)}", FacedistillWarning, stacklevel=2
            )

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Face:
        """Reads one face.

        Raises:
            UnreadablePicture: The file is damaged, or of another size than the set's first picture.
        """
        path = self._files[index]
        image = read_picture(self.folder / path)
        if image.shape[:2] != self.size:
            raise UnreadablePicture(
                f"{self.folder / path} is {image.shape[0]}x{image.shape[1]} (height x width), but the set's first "
                f"picture is {self.size[0]}x{self.size[1]}; align all to one size with `facedistill prepare`"
            )
        return Face(image, self._numbers[path.parent.as_posix()], path.as_posix())

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """int64 [N]."""
        return np.array([self._numbers[path.parent.as_posix()] for path in self._files], dtype=np.int64)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the pictures' paths and content."""
        digest = hashlib.sha256()
        for path in self._files:
            try:
                content = file_digest(self.folder / path)
            except OSError:  # a link that leads nowhere, say: damaged when it is read
                content = "unreadable"
            digest.update(os.fsencode(path.as_posix()) + f"\0{content}\n".encode())
        return digest.hexdigest()

    def _first_size(self) -> tuple[int, int]:
        """(height, width) of the first picture that can be read; those before it raise when they are read."""
        for path in self._files:
            try:
                height, width = read_picture(self.folder / path).shape[:2]
            except UnreadablePicture:
                continue
            return height, width
        raise UnreadablePicture(
            f"not one of the {len(self._files)} pictures in {self.folder} can be read; copy them again"
        )


def _pictures(folder: Path) -> tuple[list[str], tuple[LeftOut, ...]]:
    """The pictures of a tree, by name or by content, and all else."""
    tree = walk_pictures(folder)
    files, others = [], list(tree.left_out)
    for file in tree.files:
        if Path(file).suffix.lower() in _SUFFIXES:
            files.append(file)
            continue
        try:
            check_picture(folder / file)
            files.append(file)
        except UnreadablePicture as error:
            others.append(LeftOut(file, error.reason))
    return files, tuple(sorted(others, key=lambda each: each.path))
