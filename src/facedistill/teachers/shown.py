"""What a teacher is shown of the faces of a set, of which its embeddings are cached."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets import FaceSet


class Shown(NamedTuple):
    """What the teacher is shown of one face.

    Attributes:
        key: The face's name, for messages.
        crops: K crops uint8 [h, w, 3], of one size.
    """

    key: str
    crops: Sequence[NDArray[np.uint8]]


class ShownFaces(Protocol):
    """Faces of each of which the teacher is shown the same number of pictures."""

    @property
    def per_face(self) -> int:
        """Pictures of each face, K."""

    @property
    def digest(self) -> str:
        """SHA-256 over everything that decides the pictures."""

    def __len__(self) -> int:
        """Number of faces."""

    def __getitem__(self, index: int) -> Shown:
        """The pictures of one face."""


class FacesAndMirrors:
    """Each face as it is (index 0) and its mirror image (1).

    Args:
        face_set: The faces.
    """

    per_face = 2

    def __init__(self, face_set: FaceSet) -> None:
        self._face_set = face_set

    def __len__(self) -> int:
        return len(self._face_set)

    def __getitem__(self, index: int) -> Shown:
        face = self._face_set[index]
        return Shown(face.key, (face.image, face.image[:, ::-1]))

    @property
    def digest(self) -> str:
        """The face set's."""
        return self._face_set.digest
