"""Which pictures are the same ones: hashes of decoded pixels, and perceptual hashes that outlast being encoded anew.

A perceptual hash has a bit for each of the 255 lowest frequencies of the grey 112x96 window (16 x 16 of a discrete
cosine transform of 32 x 32 means; Zauner 2010, "Implementation and benchmarking of perceptual image hash functions"):
whether it is above 4, more than encoding anew changes. Measured on rendered people: copies in JPEG at quality 50 to
95 differ in at most 12 bits, also of faces that have no more than 16 rows of detail; two different pictures of one
person on one day in no less than 26 (18 at 16 rows), pictures of two people in no less than 41. Faces of 8 rows look
too much alike: what has fewer than 130 frequencies beyond 4 is compared by its pixels alone. A mirrored copy, which
training shows as well, is found like any other. A hash of 32 bytes shows nothing of the face.
"""

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facedistill.datasets.face import FaceSet
from facedistill.errors import FacedistillError, UsageError
from facedistill.faces import CROP_112X96, recrop
from facedistill.files import atomic_path
from facedistill.pictures import UnreadablePicture
from facedistill.progress import track

Int = NDArray[np.int64]

NEAR = 15
"""Most differing signs of two copies of one picture."""
MOST_HASHED = 50_000
"""Pictures of a larger set are sampled evenly: a copied set is found all the same, a few copied pictures may not be."""

_SIDE, _KEPT = 32, 16
_BANDS = NEAR + 1  # of 16 bits each: NEAR differences leave at least one of them whole
_LEAST = 4.0  # of a frequency that counts as there; below it lies what encoding anew changes
_FEWEST = 130  # such frequencies; a picture with fewer has no perceptual hash
_BYTES = _KEPT * _KEPT // 8
_ODD = np.where(np.arange(_KEPT) % 2 == 1, -1.0, 1.0)  # what mirroring multiplies the columns of frequencies by
_RECORD = np.dtype([("place", "<i8"), ("label", "<i8"), ("exact", "<u8"), ("near", "u1", (2, _BYTES))])


@dataclass(frozen=True, eq=False)
class PictureHashes:
    """The hashes of a set's pictures, or of an even sample of them.

    Attributes:
        records: [N] with the fields `place` (in the set), `label`, `exact` (of the decoded pixels) and `near` (the
            bits of the picture and of its mirror image, 32 bytes each; zeros where the picture has too little detail).
    """

    records: NDArray[np.void]

    def __len__(self) -> int:
        return len(self.records)

    @property
    def places(self) -> Int:
        """int64 [N]."""
        return np.asarray(self.records["place"], dtype=np.int64)

    @property
    def labels(self) -> Int:
        """int64 [N]."""
        return np.asarray(self.records["label"], dtype=np.int64)

    def of(self, places: Int) -> "PictureHashes":
        """Those of some of the set's pictures."""
        return PictureHashes(self.records[np.isin(self.records["place"], places)])

    def write(self, path: Path) -> None:
        """Writes the hashes as a `.npy` file, 88 bytes a picture."""
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, self.records, allow_pickle=False)

    @classmethod
    def read(cls, path: Path) -> "PictureHashes":
        """Reads what `write` wrote.

        Raises:
            FacedistillError: The file is damaged.
        """
        try:
            if path.stat().st_size > 2 * MOST_HASHED * _RECORD.itemsize:
                raise ValueError("it is too large")
            records = np.load(path, allow_pickle=False)
            if records.dtype != _RECORD or records.ndim != 1:
                raise ValueError(f"it holds {records.dtype}")
        except (OSError, ValueError, EOFError) as error:
            raise FacedistillError(f"{path} is damaged ({str(error)[:80]}); delete it, it is made anew") from error
        return cls(records)


def hash_pictures(pictures: Iterable[NDArray[np.uint8]]) -> PictureHashes:
    """The hashes of pictures uint8 [H, W, 3], each under a label of its own."""
    found = [(place, place, *_hashes(picture)) for place, picture in enumerate(pictures)]
    return PictureHashes(np.array(found, dtype=_RECORD))


def hash_faces(faces: FaceSet) -> PictureHashes:
    """The hashes of a face set's pictures without those that cannot be read; of at most `MOST_HASHED`."""
    places = np.unique(np.linspace(0, len(faces) - 1, min(len(faces), MOST_HASHED)).astype(np.int64))
    found = []
    for place in track(places.tolist(), "comparing pictures", len(places)):
        try:
            face = faces[place]
        except UnreadablePicture:
            continue
        found.append((place, face.label, *_hashes(face.image)))
    return PictureHashes(np.array(found, dtype=_RECORD))


def same_pictures(hashes: PictureHashes) -> list[Int]:
    """Groups of pictures that are the same one, encoded anew or mirrored ones among them.

    Returns:
        Of each group the positions in `hashes`, ascending; groups in the order of their first picture.
    """
    near = hashes.records["near"]
    both = np.concatenate([near[:, 0], near[:, 1]])
    return _groups(len(hashes), _equal(hashes.records["exact"]), _near(both) % max(len(hashes), 1))


def copied(hashes: PictureHashes, origin: PictureHashes) -> Int:
    """Which pictures are copies of those of another set.

    Returns:
        int64 [N, 2]: the position in `hashes`, and that of a picture in `origin` that is the same one; one row for
        each picture of `hashes` that has one.
    """
    first, second = hashes.records, origin.records
    count = len(first)
    exact = _equal(np.concatenate([first["exact"], second["exact"]]))
    near = _near(np.concatenate([first["near"][:, 0], second["near"][:, 0], first["near"][:, 1]]))
    near = np.where(near >= count + len(second), near - count - len(second), near)
    rows = []
    for group in _groups(count + len(second), exact, near):
        split = int(np.searchsorted(group, count))
        if 0 < split < len(group):
            rows += [(int(place), int(group[split]) - count) for place in group[:split]]
    return np.array(sorted(rows), dtype=np.int64).reshape(-1, 2)


def _hashes(picture: NDArray[np.uint8]) -> tuple[int, NDArray[np.uint8]]:
    exact = hashlib.blake2b(repr(picture.shape).encode(), digest_size=8)
    exact.update(np.ascontiguousarray(picture).data)
    return int.from_bytes(exact.digest(), "little"), _bits(picture)


def _bits(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    with suppress(UsageError):  # the whole of a picture of no crop convention
        picture = recrop(picture, CROP_112X96.size)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    frequencies = cv2.dct(small)[:_KEPT, :_KEPT]
    frequencies[0, 0] = 2 * _LEAST  # not the mean, but a bit that is always set: zeros stand for no hash
    if np.count_nonzero(np.abs(frequencies) > _LEAST) < _FEWEST:
        return np.zeros((2, _BYTES), dtype=np.uint8)
    both = np.stack([frequencies, frequencies * _ODD]) > _LEAST
    return np.packbits(both.reshape(2, -1), axis=1)


def _equal(exact: NDArray[np.uint64]) -> Int:
    """Pairs [P, 2] that join all entries of the same value."""
    order = np.argsort(exact, kind="stable")
    same = exact[order[1:]] == exact[order[:-1]]
    return np.stack([order[:-1][same], order[1:][same]], axis=1)


def _near(near: NDArray[np.uint8]) -> Int:
    """Pairs [P, 2] that join all rows [32] of bytes within `NEAR` bits of each other, rows of zeros left out.

    Two such rows agree in one of 16 bands at least, so only rows that agree in a band are compared.
    """
    known = np.flatnonzero(near.any(axis=1))
    rows, first, inverse = np.unique(near[known], axis=0, return_index=True, return_inverse=True)
    inverse = inverse.reshape(-1)
    pairs = [np.stack([known[first[inverse]], known], axis=1)]
    words = rows.view(np.uint64)
    for band in range(_BANDS):
        values = rows.view(np.uint16)[:, band]
        order = np.argsort(values, kind="stable")
        left = np.arange(len(order) - 1)
        for step in range(1, len(order)):
            left = left[left + step < len(order)]
            left = left[values[order[left]] == values[order[left + step]]]
            if not len(left):
                break
            one, other = order[left], order[left + step]
            apart = np.bitwise_count(words[one] ^ words[other]).sum(axis=1)
            close = apart <= NEAR
            pairs.append(np.stack([known[first[one[close]]], known[first[other[close]]]], axis=1))
    joined: Int = np.concatenate(pairs)
    different: Int = joined[joined[:, 0] != joined[:, 1]]
    return different


def _groups(count: int, *pairs: Int) -> list[Int]:
    """The groups of two and more of 0..count-1 that the pairs join."""
    parent = np.arange(count)

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = int(parent[place])
        return place

    for one, other in np.concatenate(pairs).tolist():
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    members: dict[int, list[int]] = {}
    for place in np.unique(np.concatenate(pairs)).tolist():
        members.setdefault(root(place), []).append(place)
    return [np.array(group, dtype=np.int64) for group in members.values() if len(group) > 1]
