"""Which pictures of a set cannot be read: found once for each set, before anything is made of it."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from facedistill.datasets.face import Damage, FaceSet
from facedistill.datasets.folder import FolderFaces
from facedistill.datasets.recordio_set import RecordFaces
from facedistill.datasets.recropped import RecroppedFaces
from facedistill.datasets.split import Subset
from facedistill.files import cache_folder, write_text
from facedistill.pictures import UnreadablePicture
from facedistill.progress import track
from facedistill.workers import in_processes

_FORMAT = "facedistill-damage-1"
_BLOCK = 1000  # pictures handed to a process at once; a set of fewer is read in this one


def readable_part(faces: Subset) -> tuple[Subset, tuple[Damage, ...]]:
    """The faces that can be read, and what is wrong with the others; their `index` is one of `faces`.

    All pictures of the set are read once, in several processes where there are many; what is found is kept in the cache
    folder for sets of this content. A set that is no folder of files, or is still being rendered, is taken as it is.

    Raises:
        FacedistillError: A file of the set is damaged as a whole, or a process was killed.
    """
    stored = faces.parent.source if isinstance(faces.parent, RecroppedFaces) else faces.parent
    if not isinstance(stored, RecordFaces | FolderFaces):
        return faces, ()
    reasons = dict(_damage(stored))
    lost = [place for place, index in enumerate(faces.indices.tolist()) if index in reasons] if reasons else []
    damage = tuple(Damage(place, reasons[int(faces.indices[place])]) for place in lost)
    return (Subset(faces.parent, np.delete(faces.indices, lost)) if lost else faces), damage


def _damage(faces: RecordFaces | FolderFaces) -> Sequence[tuple[int, str]]:
    """(index, reason) of each picture that cannot be read."""
    key = hashlib.sha256(f"{_FORMAT} {faces.digest} ".encode() + os.fsencode(faces.folder.resolve()))
    path = cache_folder() / "damage" / f"{key.hexdigest()}.json"
    kept = _kept(path, len(faces))
    if kept is None:
        kept = list(_found(faces))
        write_text(path, json.dumps({"pictures": len(faces), "damage": kept}) + "\n")
    return kept


def _kept(path: Path, count: int) -> list[tuple[int, str]] | None:
    """What an earlier call found; None without one, or where the file is damaged."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        damage = [(int(index), str(reason)) for index, reason in record["damage"]]
        whole = record["pictures"] == count and all(0 <= index < count for index, _ in damage)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return damage if whole else None


def _found(faces: FaceSet) -> Iterator[tuple[int, str]]:
    blocks = [range(start, min(start + _BLOCK, len(faces))) for start in range(0, len(faces), _BLOCK)]
    found = in_processes(_read_block, blocks, partial(_start_worker, faces), None)
    for block in track(found, "checking that the pictures can be read", len(blocks), unit="thousands"):
        yield from block


_faces: FaceSet | None = None


def _start_worker(faces: FaceSet) -> None:
    global _faces  # one per process: sending it with each block would take longer than reading that
    _faces = faces


def _read_block(places: Sequence[int]) -> list[tuple[int, str]]:
    assert _faces is not None, "the worker was started"
    damage = []
    for place in places:
        try:
            _faces[place]
        except UnreadablePicture as error:
            damage.append((place, str(error)))
    return damage
