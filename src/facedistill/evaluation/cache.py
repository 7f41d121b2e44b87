"""Embeddings of a face set, computed once per model and condition and kept as a memory-mapped file."""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from facedistill.checks import MOST_SIDE, check_count
from facedistill.datasets import Damage, Face, FaceSet
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.embedding import Embed, embed_batch
from facedistill.evaluation.metrics import Int
from facedistill.files import atomic_path, cache_folder, file_digest, write_text
from facedistill.model_file import NATIVE
from facedistill.pictures import UnreadablePicture
from facedistill.progress import track
from facedistill.variance import degrade_face

_FORMAT = "facedistill-embeddings-2"  # 1: rows were those of the crop, not of the face
_FACES_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class CachedEmbeddings:
    """A model's embeddings of the readable faces of a set.

    Attributes:
        embeddings: float32 [R, D], a read-only memory map, as the model gave them: not normalised.
        indices: int64 [R], ascending, the place of each row's face in the set.
        damage: The faces that could not be read, which have no row; the caller reports them.
    """

    embeddings: NDArray[np.float32]
    indices: Int
    damage: tuple[Damage, ...]


def cached_embeddings(
    embed: Embed, faces: FaceSet, model_digest: str, folder: Path | None = None, rows: int | None = None
) -> CachedEmbeddings:
    """The embeddings of a face set, read from the cache when they are there, else computed and written.

    The cache is keyed by SHA-256 of model, set and condition. A file that is damaged or does not belong to the key is
    computed anew. Pictures are read and degraded in a second thread while the model embeds those before.

    Args:
        embed: uint8 [B, H, W, 3] -> [B, D].
        faces: Crops of the size that `embed` takes.
        model_digest: What the embeddings depend on beside the pictures; a model file's SHA-256.
        folder: Where the files lie; `embeddings` in the cache folder by default.
        rows: Rows to which crops are shrunk by `variance.degrade_face` first; None leaves them as they are.

    Raises:
        UsageError: There is no model digest, or `rows` is out of range.
        FacedistillError: No picture can be read, an embedding is zero, NaN or infinite, or the file cannot be written.
    """
    if not model_digest:
        raise UsageError("cached embeddings need the model's digest; another model would be given these")
    condition = NATIVE if rows is None else str(check_count("rows", rows, 1, MOST_SIDE))
    key = hashlib.sha256(json.dumps([_FORMAT, model_digest, faces.digest, condition]).encode()).hexdigest()
    path = (folder or cache_folder() / "embeddings") / f"{key}.npy"
    kept = _read(path, len(faces))
    if kept is None:
        _compute(embed, faces, rows, path)
        kept = _read(path, len(faces))
    if kept is None:
        raise FacedistillError(f"{path} was changed while it was written; run again")
    return kept


def _read(path: Path, count: int) -> CachedEmbeddings | None:
    """What is kept; None when nothing is, or anything about it is wrong."""
    try:
        record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        damage = tuple(Damage(int(index), str(reason)) for index, reason in record["damage"])
        if record["sha256"] != file_digest(path):
            return None
        embeddings = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    indices = np.setdiff1d(np.arange(count), [entry.index for entry in damage])
    if embeddings.dtype != np.float32 or embeddings.ndim != 2 or len(embeddings) != len(indices):
        return None
    return CachedEmbeddings(embeddings, indices, damage)


def _compute(embed: Embed, faces: FaceSet, rows: int | None, path: Path) -> None:
    damage: list[Damage] = []
    written, size = 0, 0
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        for batch, unreadable in _batches(faces, rows):
            damage += unreadable
            if not batch:
                continue
            embedded = _checked(embed, batch)
            if not written:
                size = embedded.shape[1]
                _write_header(file, len(faces), size)
            elif embedded.shape[1] != size:
                raise FacedistillError(f"the model gave embeddings of {size} values, then of {embedded.shape[1]}")
            # Written, not mapped: on a full disk a mapped page would kill the process.
            file.write(embedded.tobytes())
            written += len(embedded)
        if not written:
            raise FacedistillError("the face set holds no picture that can be read; copy it again from its origin")
        file.seek(0)
        _write_header(file, written, size)
    record = {"sha256": file_digest(path), "damage": [[entry.index, entry.reason] for entry in damage]}
    write_text(path.with_suffix(".json"), json.dumps(record, indent=1) + "\n")


def _write_header(file: IO[bytes], count: int, size: int) -> None:
    """An .npy header whose length does not depend on `count` (numpy leaves room for a growing first axis)."""
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (count, size)})


def _batches(faces: FaceSet, rows: int | None) -> Iterator[tuple[list[Face], list[Damage]]]:
    """Readable faces and damage, batch by batch; the next batch is read while the caller is busy with one."""

    def read(start: int) -> tuple[list[Face], list[Damage]]:
        batch, damage = [], []
        for index in range(start, min(start + _FACES_AT_ONCE, len(faces))):
            try:
                face = faces[index]
            except UnreadablePicture as error:
                damage.append(Damage(index, str(error)))
                continue
            batch.append(face if rows is None else Face(degrade_face(face.image, rows), face.label, face.key))
        return batch, damage

    starts = range(0, len(faces), _FACES_AT_ONCE)
    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(read, 0)
        for start in track(starts, "embedding faces", unit="batches"):
            ready = ahead.result()
            if start != starts[-1]:
                ahead = reader.submit(read, start + _FACES_AT_ONCE)
            yield ready


def _checked(embed: Embed, batch: list[Face]) -> NDArray[np.float32]:
    rows = embed_batch(embed, [face.image for face in batch]).astype("<f4", copy=False)
    sound = np.isfinite(rows).all(axis=1) & rows.any(axis=1)
    if not sound.all():
        raise FacedistillError(
            f"the model's embedding of face {batch[int(np.argmin(sound))].key} is zero, NaN or infinite; "
            "check the model, or leave the picture out"
        )
    return rows
