"""The cache of a teacher's embeddings of every face of a set: computed once, kept on disk.

The teacher sees only the fixed original faces (Wang et al., ICCVW 2019), so its embedding of a face is a constant;
with mirror images there are two. Any other fixed pictures of the faces can be cached alike. A cache is a folder:
`embeddings.npy`, float32 [N, K, D] for K pictures of each face, and `store.json` with the teacher, the face set, how
many faces are done and the SHA-256 of their embeddings.
"""

import hashlib
import io
import json
import os
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets import FaceSet
from facedistill.errors import FacedistillError, FacedistillWarning, UsageError
from facedistill.files import write_text
from facedistill.progress import track
from facedistill.teachers.shown import FacesAndMirrors, Shown, ShownFaces
from facedistill.teachers.teacher import Teacher

ARRAY = "embeddings.npy"
STATE = "store.json"  # the name that earlier versions gave it

_FORMAT = "facedistill-teacher-store-1"
_BLOCK = 256  # pictures between two records of how far it got
_HASH_BYTES = 1 << 20
_ALWAYS_HASHED = 1 << 30  # bytes; hashing more takes seconds on each start


@dataclass(frozen=True)
class TeacherCache:
    """A complete cache, opened.

    Attributes:
        folder: Where it lives.
        embeddings: Read-only memory map, float32 [N, K, D], in the order of the faces and of each face's pictures. Not
            normalised.
    """

    folder: Path
    embeddings: NDArray[np.float32]


def open_cache(teacher: Teacher, face_set: FaceSet, folder: Path) -> TeacherCache:
    """Opens the cache of the faces and their mirror images, see `open_shown_cache`."""
    return open_shown_cache(teacher, FacesAndMirrors(face_set), folder)


def open_shown_cache(teacher: Teacher, shown: ShownFaces, folder: Path) -> TeacherCache:
    """Opens the cache in `folder`; builds it first, or goes on building it, when it is not complete.

    A broken cache (damaged `store.json`, wrong length, wrong checksum) is reported by a warning and built anew. The
    checksum of a complete cache is computed at each opening up to 1 GiB; a larger one is trusted when its length
    and modification time are those recorded at its completion, and checked in full when they are not.

    Raises:
        UsageError: The face set is empty.
        FacedistillError: The cache was made by another teacher or from other faces (delete the folder); a face cannot
            be read, or its embedding is not finite; the disk is full, or has not the room for all. What was done by
            then is kept.
    """
    folder = Path(folder)
    if len(shown) == 0:
        raise UsageError(f"no teacher cache can be made in {folder}: the face set is empty")
    fresh = _State.fresh(teacher, shown)
    try:
        state = _recorded_state(folder, fresh)
    except _BrokenCacheError as broken:
        warnings.warn(
            f"teacher cache {folder} is broken ({broken}); it is built anew", FacedistillWarning, stacklevel=3
        )
        state = fresh
    if not state.complete:
        _build(teacher, shown, folder, state)
    return TeacherCache(folder, np.load(folder / ARRAY, mmap_mode="r", allow_pickle=False))


class _BrokenCacheError(Exception):
    """What is in the folder cannot be used."""


@dataclass(frozen=True)
class _State:
    """The content of `store.json`; `sha256` is over the embeddings of the first `done` faces."""

    format: str
    teacher: str
    teacher_digest: str
    preprocessing: str
    face_set_digest: str
    shape: tuple[int, int, int]
    done: int
    sha256: str
    modified_ns: int

    @classmethod
    def fresh(cls, teacher: Teacher, shown: ShownFaces) -> Self:
        return cls(
            format=_FORMAT,
            teacher=teacher.name,
            teacher_digest=teacher.digest,
            preprocessing=teacher.normalisation,
            face_set_digest=shown.digest,
            shape=(len(shown), shown.per_face, teacher.embedding_size),
            done=0,
            sha256=hashlib.sha256().hexdigest(),
            modified_ns=0,
        )

    @property
    def origin(self) -> dict[str, object]:
        """From whom and what the embeddings are, for messages."""
        return {
            "the teacher": f"{self.teacher} {self.teacher_digest[:12]}",
            "the preprocessing": self.preprocessing,
            "the face set": self.face_set_digest[:12],
            "the shape": list(self.shape),
        }

    @property
    def complete(self) -> bool:
        return self.done == self.shape[0]

    @property
    def header(self) -> bytes:
        """The first bytes of the .npy file."""
        buffer = io.BytesIO()
        np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": self.shape})
        return buffer.getvalue()

    @property
    def length(self) -> int:
        """Bytes of the .npy file once `done` faces are in it."""
        return len(self.header) + self.done * self.shape[1] * self.shape[2] * 4


def _recorded_state(folder: Path, fresh: _State) -> _State:
    """How far an earlier call got; `fresh` when there was none."""
    path = folder / STATE
    if not path.exists():
        if (folder / ARRAY).exists():
            raise _BrokenCacheError(f"{STATE} is missing")
        return fresh
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        state = _State(**{**values, "shape": tuple(values["shape"])})
        whole = all(type(getattr(state, key)) is type(value) for key, value in asdict(fresh).items())
    except (ValueError, TypeError, KeyError, RecursionError):
        whole = False
    except OSError as error:
        raise FacedistillError(f"cannot read {path}: {error.strerror or error}") from error
    if not whole or state.format != _FORMAT:
        raise _BrokenCacheError(f"{STATE} is damaged")
    _refuse_stale(folder, state, fresh)
    if not 0 <= state.done <= fresh.shape[0]:
        raise _BrokenCacheError(f"{STATE} is damaged")
    _check_array(folder / ARRAY, state)
    return state


def _refuse_stale(folder: Path, state: _State, fresh: _State) -> None:
    there, now = state.origin, fresh.origin
    differences = [f"{what} (there {old}, now {now[what]})" for what, old in there.items() if old != now[what]]
    if differences:
        raise FacedistillError(
            f"teacher cache {folder} is stale: {', '.join(differences)} changed; delete the folder to build it anew"
        )


def _check_array(path: Path, state: _State) -> None:
    """Raises unless the file begins as recorded; behind the recorded faces an unfinished cache may hold anything."""
    try:
        found = path.stat()
        if found.st_size != state.length if state.complete else found.st_size < state.length:
            raise _BrokenCacheError(f"{ARRAY} has {found.st_size} bytes instead of {state.length}")
        trusted = state.complete and found.st_size > _ALWAYS_HASHED and found.st_mtime_ns == state.modified_ns
        with path.open("rb") as file:
            if file.read(len(state.header)) != state.header:
                raise _BrokenCacheError(f"{ARRAY} has another header")
            if not trusted and _hash(file, state.length).hexdigest() != state.sha256:
                raise _BrokenCacheError(f"{ARRAY} has another checksum than {STATE} records")
    except FileNotFoundError:
        raise _BrokenCacheError(f"{ARRAY} is missing") from None
    except OSError as error:
        raise FacedistillError(f"cannot read {path}: {error.strerror or error}") from error


def _hash(file: IO[bytes], end: int) -> "hashlib._Hash":
    """SHA-256 from where `file` stands to the byte `end`."""
    digest = hashlib.sha256()
    while block := file.read(min(_HASH_BYTES, end - file.tell())):
        digest.update(block)
    return digest


def _build(teacher: Teacher, shown: ShownFaces, folder: Path, state: _State) -> None:
    """Embeds the faces from `state.done` on; records after each block how many are done."""
    path = folder / ARRAY
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _check_room(folder, state)
        write_text(folder / STATE, json.dumps(asdict(state), indent=1))
        path.touch()
        with path.open("r+b") as file:
            if state.done == 0:
                file.write(state.header)
            file.truncate(state.length)
            file.seek(len(state.header))
            digest = _hash(file, state.length)
            for faces in _blocks(shown, state.done):
                block = _embed(teacher, faces).tobytes()
                # Written, not mapped: on a full disk a mapped page would kill the process.
                file.write(block)
                file.flush()
                os.fsync(file.fileno())
                digest.update(block)
                done, modified = state.done + len(faces), os.fstat(file.fileno()).st_mtime_ns
                state = replace(state, done=done, sha256=digest.hexdigest(), modified_ns=modified)
                write_text(folder / STATE, json.dumps(asdict(state), indent=1))
    except OSError as error:
        raise FacedistillError(
            f"cannot write {path}: {error.strerror or error}; {state.done} of {state.shape[0]} faces are kept"
        ) from error


def _check_room(folder: Path, state: _State) -> None:
    """Refuses a cache that the disk cannot hold, before the teacher has worked for hours."""
    faces, pictures, size = state.shape
    needed, free = (faces - state.done) * pictures * size * 4, shutil.disk_usage(folder).free
    if needed > free:
        raise FacedistillError(
            f"teacher cache {folder} takes {needed / 1e9:.3g} GB more for {faces} faces x {pictures} pictures, and "
            f"{free / 1e9:.3g} GB are free there; free some"
            + (", or lower teacher.views" if pictures > FacesAndMirrors.per_face else "")
        )


def _blocks(shown: ShownFaces, start: int) -> Iterator[list[Shown]]:
    faces = map(shown.__getitem__, track(range(start, len(shown)), "teacher embeds faces"))
    while block := list(islice(faces, max(1, _BLOCK // shown.per_face))):
        yield block


def _embed(teacher: Teacher, faces: list[Shown]) -> NDArray[np.float32]:
    """float32 [len(faces), K, D]."""
    crops = np.stack([crop for face in faces for crop in face.crops])
    embeddings = teacher.embed(crops).astype("<f4", copy=False).reshape(len(faces), len(faces[0].crops), -1)
    finite = np.isfinite(embeddings).all(axis=(1, 2))
    if not finite.all():
        key = faces[int(np.argmin(finite))].key
        raise FacedistillError(f"teacher {teacher.name} gives NaN or Inf for face {key}; take another teacher")
    return embeddings
