"""YouTube Faces (Wolf, Hassner, Maoz 2011): pairs of videos, a folder of frames for each."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets.lists import (
    first_few,
    first_folder,
    index_pairs,
    is_folder,
    is_inside,
    read_list,
    separator,
    shown,
)
from facedistill.errors import FacedistillError, UsageError

_FRAMES = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True)
class VideoPairs:
    """Videos, and pairs of them that show the same person or not.

    Attributes:
        source: The file the pairs came from.
        names: The videos, such as "Aaron_Eckhart/0".
        frames: The pictures of each video, by name; a video may be without.
        first: int64 [P], the pairs' first videos as indices into `names`.
        second: int64 [P], the pairs' second videos.
        same: bool [P].
        folds: int64 [P], each 0..F-1.
    """

    source: str
    names: tuple[str, ...]
    frames: tuple[tuple[Path, ...], ...]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    same: NDArray[np.bool_]
    folds: NDArray[np.int64]


def read_ytf(folder: Path | str) -> VideoPairs:
    """Reads `splits.txt` and finds the frames of its videos.

    Args:
        folder: Holds `splits.txt`, with lines `split, name/video, name/video, 1 or 0[, ...]` (1 = the same person;
            a first line of headings is passed over), and the videos, name/video/*.jpg, in `aligned_images_DB`, in
            `frame_images_DB` or in the folder itself.

    Raises:
        UsageError: The list does not exist or is not in this form.
        FacedistillError: The splits are of different lengths, as in a list that was cut; or videos are missing.
    """
    folder = Path(folder)
    path = folder / "splits.txt"
    text = read_list(path, "the pairs")
    mark = separator(text)
    rows = [[cell.strip() for cell in line.split(mark)] for line in text.split("\n")]
    rows = [row for row in rows if any(row)]
    if rows and not rows[0][0].isdecimal():
        rows = rows[1:]
    pairs = [_pair(row, f"{path}, pair {count}") for count, row in enumerate(rows, start=1)]
    folds = _folds([split for split, *_ in pairs], path)
    names, first, second = index_pairs([(left, right) for _, left, right, _ in pairs])
    root = first_folder(folder, ("aligned_images_DB", "frame_images_DB"))
    if missing := [name for name in names if not is_folder(root / name)]:
        raise FacedistillError(
            f"{root} lacks {len(missing)} of the {len(names)} videos that {path} names: {first_few(missing)}; "
            "unpack them again"
        )
    frames = tuple(
        tuple(sorted(file for file in (root / name).iterdir() if file.suffix.lower() in _FRAMES)) for name in names
    )
    same = np.array([truth for *_, truth in pairs], np.bool_)
    return VideoPairs(str(path), names, frames, first, second, same, folds)


def _pair(row: list[str], where: str) -> tuple[int, str, str, bool]:
    if len(row) < 4 or not row[0].isdecimal() or len(row[0]) > 6 or row[3] not in ("0", "1"):
        raise UsageError(f"{where} is no pair; it must read `split, name/video, name/video, 1 or 0`")
    if not (is_inside(row[1]) and is_inside(row[2])):
        raise UsageError(f"{where} names no video of this folder; a video reads name/number")
    if row[1] == row[2]:
        raise UsageError(f"{where} compares the video {shown(row[1])} with itself")
    return int(row[0]), row[1], row[2], row[3] == "1"


def _folds(splits: list[int], path: Path) -> NDArray[np.int64]:
    """The splits as numbers 0..F-1."""
    values, folds, sizes = np.unique(np.array(splits, np.int64), return_inverse=True, return_counts=True)
    if len(values) < 2:
        raise UsageError(
            f"{path} holds {len(values)} splits, but needs two or more for thresholds; take the whole list"
        )
    if sizes.min() != sizes.max():
        raise FacedistillError(
            f"the splits of {path} hold {sizes.min()} to {sizes.max()} pairs, but must be of one length; copy it again"
        )
    return folds.astype(np.int64)
