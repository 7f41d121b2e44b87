"""Parts of a face set: by index, and by identity."""

import hashlib
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedistill.checks import check_seed
from facedistill.datasets.face import Face, FaceSet
from facedistill.errors import UsageError


class Subset:
    """A view of some faces of a set; the people in it are numbered anew, 0..k-1 in the order of their old labels.

    Attributes:
        parent: The set that is viewed.
        indices: int64 [N], positions in the parent.
        size: (height, width) of every picture.

    Raises:
        UsageError: `indices` are not positions in the set.
    """

    def __init__(self, face_set: FaceSet, indices: ArrayLike) -> None:
        self.parent, self.size = face_set, face_set.size
        given = np.asarray(indices)
        if given.ndim != 1 or (given.size and not np.issubdtype(given.dtype, np.integer)):
            raise UsageError(f"a subset's indices must be whole numbers [N], got {given.dtype} {list(given.shape)}")
        self.indices: NDArray[np.int64] = given.astype(np.int64)
        if given.size and not 0 <= given.min() <= given.max() < len(face_set):
            raise UsageError(f"a subset's indices must be 0..{len(face_set) - 1}, got {given.min()}..{given.max()}")

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Face:
        face = self.parent[int(self.indices[index])]
        return Face(face.image, int(self.labels[index]), face.key)

    @property
    def classes(self) -> int:
        """Number of people that have pictures in the subset."""
        return int(self.labels.max()) + 1 if len(self) else 0

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """int64 [N]."""
        old = self.parent.labels[self.indices]
        present = np.bincount(old) > 0  # sorting tens of millions of labels would take several times their memory
        return (np.cumsum(present) - 1)[old]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the parent's digest and the indices."""
        digest = hashlib.sha256(self.parent.digest.encode())
        digest.update(self.indices.astype("<i8").tobytes())
        return digest.hexdigest()


def split_identities(face_set: FaceSet, parts: Sequence[int] | Sequence[float], seed: int) -> tuple[Subset, ...]:
    """Splits a set so that no person is in two parts; the split follows from `seed` alone.

    Args:
        face_set: The set; people without pictures do not count.
        parts: People in each part, as whole numbers, or as fractions 0..1. People left over are in no part.
        seed: Of the random split.

    Returns:
        As many subsets as `parts`; faces keep their order.

    Raises:
        UsageError: The parts need more people than there are, or are not numbers of people.
    """
    check_seed("seed", seed)
    people = np.unique(face_set.labels)
    counts = _people_in_each(parts, len(people))
    shuffled = np.random.default_rng(seed).permutation(people)
    ends = np.cumsum(counts)
    return tuple(
        Subset(face_set, np.flatnonzero(np.isin(face_set.labels, shuffled[end - count : end])))
        for count, end in zip(counts, ends, strict=True)
    )


def _people_in_each(parts: Sequence[int] | Sequence[float], people: int) -> NDArray[np.int64]:
    given = np.asarray(parts)
    whole = np.issubdtype(given.dtype, np.integer)
    if given.ndim != 1 or not given.size or not (whole or np.issubdtype(given.dtype, np.floating)):
        raise UsageError(f"the parts of a split must be numbers of people or fractions, got {parts!r:.60}")
    if not whole and (not np.isfinite(given).all() or given.sum() > 1 + 1e-9):
        raise UsageError(f"the fractions of a split must sum to at most 1, got {parts!r}")
    if (given < 0).any():
        raise UsageError(f"the parts of a split must not be negative, got {parts!r}")
    if whole:
        counts = given.astype(np.int64)
    else:  # rounding the ends, not the parts, lets fractions that sum to 1 use everybody
        counts = np.diff(np.rint(np.cumsum(given) * people).astype(np.int64), prepend=0)
    if counts.sum() > people:
        raise UsageError(f"the split needs {counts.sum()} people, but only {people} have pictures; give smaller parts")
    return counts
