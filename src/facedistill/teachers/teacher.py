"""The one interface of all teachers, and what they share: checked crops, batches, a digest."""

import hashlib
import json
from abc import ABC, abstractmethod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import UsageError
from facedistill.faces import crop_convention, recrop

DLIB = "dlib"
"""The name of dlib's net."""

DEFAULT_BATCH = 32


class Teacher(Protocol):
    """A face-recognition net whose embeddings a student imitates."""

    @property
    def name(self) -> str:
        """A short name for people."""

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) of the crops it sees."""

    @property
    def embedding_size(self) -> int:
        """Length of its embeddings."""

    @property
    def normalisation(self) -> str:
        """Its preprocessing, in words."""

    @property
    def digest(self) -> str:
        """SHA-256 over weights and preprocessing."""

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embeds aligned faces.

        Args:
            crops: uint8 [B, H, W, 3] RGB, B may be 0; of the teacher's own size, or of any other crop convention,
                which is then re-cropped by the fixed similarity between the two templates.

        Returns:
            float32 [B, D], not normalised.

        Raises:
            UsageError: The crops have another shape or type.
        """


class BatchedTeacher(ABC):
    """A teacher that is a function on small batches of its own crops; a base class, not the interface.

    Args:
        name: A short name for people.
        input_size: (height, width) of the crops it sees; one of the known crop conventions.
        embedding_size: Length of its embeddings.
        normalisation: Its preprocessing, in words.
        weights_digest: SHA-256 of its weights.
        batch: Most crops at once.
    """

    def __init__(
        self,
        name: str,
        input_size: tuple[int, int],
        embedding_size: int,
        normalisation: str,
        weights_digest: str,
        batch: int = DEFAULT_BATCH,
    ) -> None:
        self.name = name
        self.input_size = input_size
        self.embedding_size = embedding_size
        self.normalisation = normalisation
        self.weights_digest = weights_digest
        # The template too: it decides where faces of other crop conventions land.
        parts = [weights_digest, normalisation, crop_convention(input_size).points, embedding_size]
        self.digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        self._batch = batch

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Teacher.embed`."""
        _check(crops, self.name)
        embeddings = np.empty((len(crops), self.embedding_size), dtype=np.float32)
        for start in range(0, len(crops), self._batch):
            batch = crops[start : start + self._batch]
            if batch.shape[1:3] != self.input_size:
                batch = np.stack([recrop(crop, self.input_size) for crop in batch])
            embeddings[start : start + len(batch)] = self._run(np.ascontiguousarray(batch))
        return embeddings

    @abstractmethod
    def _run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embeds 1 to `batch` crops of the teacher's own size: uint8 [b, H, W, 3] -> float32 [b, D]."""


def _check(crops: NDArray[np.uint8], name: str) -> None:
    if crops.ndim != 4 or crops.shape[3] != 3 or crops.dtype != np.uint8:
        raise UsageError(
            f"teacher {name} was given crops of shape {list(crops.shape)} and type {crops.dtype}; "
            "it takes uint8 [B, height, width, 3] RGB"
        )
    crop_convention((crops.shape[1], crops.shape[2]))
