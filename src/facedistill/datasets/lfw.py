"""LFW (Huang et al. 2007): a folder for each person, and the pairs of the verification protocol."""

from pathlib import Path

import numpy as np

from facedistill.datasets.lists import first_few, index_pairs, is_file, read_list, shown, stored_pictures
from facedistill.datasets.mat_lists import PICTURE_SUFFIXES
from facedistill.datasets.pairs import PairSet
from facedistill.errors import FacedistillError, UsageError


def read_lfw_pairs(folder: Path | str, pairs_txt: Path | str) -> PairSet:
    """Reads `pairs.txt` and finds its pictures, `name/name_0001.jpg` (or .jpeg, .png, .bmp), in `folder`.

    The pairs keep the file's order: fold after fold, each with its same pairs before its different ones. A picture
    that occurs in several pairs is listed once.

    Args:
        folder: LFW's folder, which holds a folder for each person.
        pairs_txt: First line: folds and pairs of each kind in a fold (only the latter where there is one fold);
            then lines `name i j` (same) or `name1 i name2 j` (different).

    Raises:
        UsageError: A file does not exist, or `pairs_txt` is not in this form.
        FacedistillError: Pictures are missing; the first of them are named.
    """
    folder, pairs_txt = Path(folder), Path(pairs_txt)
    lines = read_list(pairs_txt, "the pairs").split("\n")
    rows = [_cells(line) for line in lines if line.strip()]
    folds, in_fold = _counts(rows[0] if rows else [])
    expected = folds * 2 * in_fold
    if not expected:
        raise UsageError(
            f"the first line of {pairs_txt} must hold folds and pairs of each kind in a fold, such as 10 300"
        )
    if expected != len(rows) - 1:
        raise UsageError(
            f"{pairs_txt} holds {len(rows) - 1} pairs, but its first line announces {expected}; copy it again"
        )
    pairs = [_pair_files(row, folder, f"{pairs_txt}, pair {count}") for count, row in enumerate(rows[1:], start=1)]
    listed, first, second = index_pairs(pairs)
    files = stored_pictures(listed, PICTURE_SUFFIXES)
    missing = [path.name for path in files if not is_file(path)]
    if len(missing) == len(files):
        wanted = shown(str(files[0].relative_to(folder)))
        raise UsageError(
            f"{folder} holds none of the pictures in {pairs_txt}, such as {wanted} (or .jpeg, .png, .bmp); name the "
            "folder of people, such as lfw/"
        )
    if missing:
        raise FacedistillError(
            f"{folder} lacks {len(missing)} of {len(files)} pictures: {first_few(missing)}; unpack it again"
        )
    same = np.array([len(row) == 3 for row in rows[1:]], dtype=np.bool_)
    return PairSet(str(pairs_txt), files, first, second, same, folds)


def _cells(line: str) -> list[str]:
    """Separated by tabs, as in LFW's own list, so that names may hold spaces; else by spaces."""
    return [cell.strip() for cell in line.split("\t") if cell.strip()] if "\t" in line else line.split()


def _counts(head: list[str]) -> tuple[int, int]:
    """Folds, and pairs of each kind in one; 0 and 0 where the first line does not give them."""
    if not 1 <= len(head) <= 2 or not all(_is_number(text) for text in head):
        return 0, 0
    return int(head[0]) if len(head) == 2 else 1, int(head[-1])


def _pair_files(row: list[str], folder: Path, where: str) -> tuple[Path, Path]:
    if len(row) == 3:
        row = [row[0], row[1], row[0], row[2]]
    numbered = len(row) == 4 and _is_number(row[1]) and _is_number(row[3])
    if not numbered or any("/" in name or "\\" in name for name in row):
        raise UsageError(f"{where} is no pair; it must read `name i j` or `name1 i name2 j`")
    left, right = (folder / name / f"{name}_{int(number):04d}.jpg" for name, number in (row[:2], row[2:]))
    return left, right


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) < 10
