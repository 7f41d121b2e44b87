"""MegaFace-style sets (Kemelmacher-Shlizerman et al. 2016): probes of known people, and distractors."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets.lists import first_folder, is_inside, read_list, require_files, shown
from facedistill.errors import FacedistillError, UsageError

_PROBES = "facescrub_features_list.json"
_DISTRACTORS = re.compile(r"megaface_features_list\.json_(\d{1,9})_1")


@dataclass(frozen=True)
class MegafaceSet:
    """Probes and distractors.

    Attributes:
        source: The folder.
        probes: Pictures of people who have several.
        people: int64 [P], whom each probe shows, 0..I-1.
        distractors: Pictures of others, each once.
        lists: Size of a list -> its distractors, int64 indices into `distractors`; sizes rise.
    """

    source: str
    probes: tuple[Path, ...]
    people: NDArray[np.int64]
    distractors: tuple[Path, ...]
    lists: dict[int, NDArray[np.int64]]


def read_megaface(folder: Path | str) -> MegafaceSet:
    """Reads the devkit's lists and finds their pictures.

    Args:
        folder: Holds the lists, in `templatelists` or in itself: `facescrub_features_list.json` with {"path": [...],
            "id": [...]} and, for one or more sizes N, `megaface_features_list.json_N_1` with {"path": [...]}. Paths
            are relative to the folders `facescrub` and `megaface`.

    Raises:
        UsageError: A list is missing or not in this form.
        FacedistillError: A list holds another number of paths than its name or its ids imply, names a picture
            twice, or names pictures that are missing.
    """
    folder = Path(folder)
    lists = first_folder(folder, ("templatelists", "devkit/templatelists"))
    probes, ids = _read(lists / _PROBES, folder / "facescrub", with_ids=True)
    found = {int(match[1]): path for path in lists.iterdir() if (match := _DISTRACTORS.fullmatch(path.name))}
    if not found:
        raise UsageError(f"{lists} holds no list of distractors, such as megaface_features_list.json_1000_1")
    numbers: dict[Path, int] = {}
    indices = {}
    for size, path in sorted(found.items()):
        paths, _ids = _read(path, folder / "megaface", with_ids=False)
        if len(paths) != size:
            raise FacedistillError(f"{path} holds {len(paths)} pictures, but its name implies {size}; copy it again")
        indices[size] = np.array([numbers.setdefault(picture, len(numbers)) for picture in paths], np.int64)
    require_files(probes, lists / _PROBES)
    require_files(numbers, found[max(found)])
    people = np.unique(np.array(ids), return_inverse=True)[1].astype(np.int64)
    return MegafaceSet(str(folder), tuple(probes), people, tuple(numbers), indices)


def _read(path: Path, root: Path, with_ids: bool) -> tuple[list[Path], list[str]]:
    """Paths and ids of a list."""
    try:
        content = json.loads(read_list(path, "the list"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no JSON that can be read; copy it again from the devkit") from error
    names = _strings(content, "path", path)
    ids = _strings(content, "id", path) if with_ids else []
    if with_ids and len(ids) != len(names):
        raise FacedistillError(f"{path} holds {len(names)} paths but {len(ids)} ids; copy it again from the devkit")
    if wrong := [name for name in names if not is_inside(name)]:
        raise UsageError(
            f"{path} names {shown(wrong[0])!r}, which lies outside {root}; paths are relative to that folder"
        )
    if len(set(names)) < len(names):
        twice, _count = Counter(names).most_common(1)[0]
        raise FacedistillError(f"{path} names {shown(twice)} twice; copy it again from the devkit")
    return [root / name for name in names], ids


def _strings(content: Any, key: str, path: Path) -> list[str]:
    values = content.get(key) if isinstance(content, dict) else None
    if not isinstance(values, list) or not values or not all(isinstance(value, str | int) for value in values):
        raise UsageError(f'{path} must hold {{"{key}": [...]}} with at least one entry; copy it again from the devkit')
    return [str(value) for value in values]
