"""A labelled face, and the interface of every set of them."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import FacedistillError, UsageError
from facedistill.progress import track


@dataclass(frozen=True)
class Face:
    """One picture of one person.

    Attributes:
        image: uint8 [H, W, 3], RGB.
        label: The person's number, from 0.
        key: The picture's name within its set, for messages and lists.
    """

    image: NDArray[np.uint8]
    label: int
    key: str


class FaceSet(Protocol):
    """Labelled faces of one size; `[i]` reads face i."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """int64 [N], each 0..classes-1; no picture is read for them."""

    @property
    def classes(self) -> int:
        """Number of people; a person may be without pictures."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of every picture."""

    @property
    def digest(self) -> str:
        """SHA-256 over the content, in hexadecimal."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Face: ...


class FaceList:
    """Faces in memory.

    Attributes:
        faces: The faces, all of one size.
        size: (height, width) of every picture.

    Raises:
        UsageError: There are none, or one differs in size or has a negative label.
    """

    def __init__(self, faces: Iterable[Face]) -> None:
        self.faces = tuple(faces)
        if not self.faces:
            raise UsageError("a list of faces needs at least one face")
        height, width = self.faces[0].image.shape[:2]
        self.size = height, width
        for face in self.faces:
            check_face(face, self.size)

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, index: int) -> Face:
        return self.faces[index]

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """int64 [N]."""
        return np.array([face.label for face in self.faces], dtype=np.int64)

    @property
    def classes(self) -> int:
        """The largest label + 1."""
        return int(self.labels.max()) + 1

    @cached_property
    def digest(self) -> str:
        """SHA-256 over pictures, labels and keys."""
        digest = hashlib.sha256(repr(self.size).encode())
        for face in self.faces:
            digest.update(repr((face.label, face.key)).encode())
            digest.update(face.image.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Damage:
    """A picture of a set that cannot be used.

    Attributes:
        index: Its position in the set.
        reason: One line that names the file.
    """

    index: int
    reason: str


def find_damage(faces: FaceSet) -> list[Damage]:
    """Reads every picture once and returns those that cannot be read."""
    damage = []
    for index in track(range(len(faces)), "checking faces"):
        try:
            faces[index]
        except FacedistillError as error:
            damage.append(Damage(index, str(error)))
    return damage


def check_face(face: Face, size: tuple[int, int]) -> None:
    """Raises UsageError unless the face is uint8 [*size, 3] and its label can be one."""
    if face.image.dtype != np.uint8 or face.image.shape != (*size, 3):
        raise UsageError(
            f"the picture of face {face.key} is {face.image.dtype} {list(face.image.shape)}, "
            f"but the set's are uint8 {[*size, 3]}; align all faces to one size"
        )
    if face.label < 0:
        raise UsageError(f"the label of face {face.key} is {face.label}; labels count from 0")
