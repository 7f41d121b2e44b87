"""Several teachers as one."""

import hashlib
import json
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facedistill.checks import check_number
from facedistill.teachers.load import load_teacher
from facedistill.teachers.onnx_input import Layout
from facedistill.teachers.pixels import Channels
from facedistill.teachers.teacher import Teacher


class JointTeacher:
    """Several teachers whose similarities are averaged.

    Embeddings of different nets share no axes, so a mean of them would mean nothing. Their unit embeddings, each
    times the square root of its teacher's share, are put one after the other instead: a vector of length 1, and the
    cosine of two of them is the weighted mean of the teachers' cosines.

    Attributes:
        parts: The teachers.
        shares: float64, their weights over the sum of all weights.
        name: Their names, joined.
        input_size: The first teacher's; each cuts its own crop out of what it is given.
        embedding_size: The sum of theirs.
        normalisation: Each one's preprocessing, in words.
        digest: SHA-256 over theirs and the shares.
    """

    def __init__(self, parts: Sequence[Teacher], weights: Sequence[float]) -> None:
        for weight in weights:
            check_number("a teacher's weight", weight, above=0)
        self.parts = tuple(parts)
        self.shares = np.array(weights, dtype=np.float64) / np.sum(weights)
        self.name = " + ".join(part.name for part in parts)
        self.input_size = parts[0].input_size
        self.embedding_size = sum(part.embedding_size for part in parts)
        self.normalisation = "; ".join(part.normalisation for part in parts)
        identity = [[part.digest for part in parts], self.shares.tolist()]
        self.digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Teacher.embed`; of length 1."""
        return joined([part.embed(crops) for part in self.parts], self.shares)


def joined(embeddings: Sequence[NDArray[np.float32]], shares: NDArray[np.float64]) -> NDArray[np.float32]:
    """The embeddings [..., D] of several teachers as one of length 1, see `JointTeacher`."""
    units = [rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12) for rows in embeddings]
    scaled = [np.sqrt(share) * unit for share, unit in zip(shares, units, strict=True)]
    return np.concatenate(scaled, axis=-1, dtype=np.float32)


def parts_of(teacher: Teacher) -> tuple[Teacher, ...]:
    """The teachers of a joint one, or the one itself."""
    return teacher.parts if isinstance(teacher, JointTeacher) else (teacher,)


class TeacherSettings(Protocol):
    """How to load one teacher; see `facedistill.recipe.TeacherRecipe`."""

    spec: str
    mean: float | None
    std: float | None
    channels: Channels | None
    size: tuple[int, int] | None
    layout: Layout | None
    output: str | None
    weight: float


def load_teachers(settings: Sequence[TeacherSettings], device: str = "cpu") -> Teacher:
    """Loads one teacher, or several as a `JointTeacher`, for a device (see `load_teacher`).

    Raises:
        UsageError: See `load_teacher`.
        FacedistillError: See `load_teacher`.
    """
    loaded = [
        load_teacher(one.spec, one.mean, one.std, one.channels, device, one.size, one.layout, one.output)
        for one in settings
    ]
    return loaded[0] if len(loaded) == 1 else JointTeacher(loaded, [one.weight for one in settings])
