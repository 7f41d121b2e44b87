"""The lists of pictures that TinyFace and QMUL-SurvFace keep in MAT-files, checked against their folders."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets.lists import first_few, shown
from facedistill.datasets.mat_file import read_mat
from facedistill.errors import FacedistillError, UsageError

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


@dataclass(frozen=True)
class ListedPictures:
    """Pictures of one role in a protocol.

    Attributes:
        files: Where they are.
        people: int64 [N], whom each shows.
    """

    files: tuple[Path, ...]
    people: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.files)


def read_id_list(mat: Path, role: str, folder: Path) -> ListedPictures:
    """Reads a list of file names and face ids.

    Args:
        mat: Holds `ROLE_set`, cells of file names, and `ROLE_ids`, as many whole numbers.
        role: "gallery", "probe" or "mated_probe".
        folder: Where the pictures are.

    Raises:
        UsageError: A file or folder does not exist, or the MAT-file holds other variables.
        FacedistillError: The list is damaged, names a picture twice, or names pictures that the folder lacks.
    """
    variables = read_mat(mat)
    names = _names(variables, f"{role}_set", mat).ravel(order="F").tolist()
    numbers = _variable(variables, f"{role}_ids", mat).ravel(order="F")
    if len(names) != len(numbers) or not names:
        raise FacedistillError(
            f"{mat} lists {len(names)} pictures and {len(numbers)} face ids; copy it again from its origin"
        )
    if numbers.dtype == object or not np.array_equal(numbers, np.floor(numbers)):
        raise FacedistillError(f"{role}_ids of {mat} are not whole numbers; copy it again from its origin")
    if len(set(names)) != len(names):
        twice, _count = Counter(names).most_common(1)[0]
        raise FacedistillError(f"{mat} lists {shown(twice)} twice; a picture has one place in a protocol")
    return ListedPictures(find_pictures(folder, names, mat), numbers.astype(np.int64))


def read_pair_names(mat: Path) -> list[tuple[str, str]]:
    """Reads pairs of file names: cells [P, 2] under the name of the file itself.

    Raises:
        UsageError: There is no such file or variable.
        FacedistillError: The list is damaged or empty, or pairs a picture with itself.
    """
    names = _names(read_mat(mat), mat.stem, mat)
    if names.ndim != 2 or names.shape[1] != 2 or not len(names):
        raise FacedistillError(f"{mat.stem} of {mat} is {list(names.shape)}, not a list of pairs [P, 2]")
    pairs = [(str(left), str(right)) for left, right in names]
    if alone := [left for left, right in pairs if left == right]:
        raise FacedistillError(f"{mat} pairs {shown(alone[0])} with itself; copy it again from its origin")
    return pairs


def find_pictures(folder: Path, names: Sequence[str], source: Path) -> tuple[Path, ...]:
    """The files of those names in a folder.

    Raises:
        UsageError: The folder does not exist.
        FacedistillError: A name is no file name, or pictures are missing; the first of them are named.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} does not exist; name the folder that the set was unpacked into")
    if strange := [name for name in names if not name or name in (".", "..") or "/" in name or "\\" in name]:
        raise FacedistillError(f"{source} names {shown(strange[0])!r}, which is no file name; take it from its origin")
    there = {path.name for path in folder.iterdir()}
    if missing := [name for name in names if name not in there]:
        raise FacedistillError(
            f"{folder} lacks {len(missing)} of the {len(names)} pictures that {source.name} lists: "
            f"{first_few(missing)}; unpack it again"
        )
    return tuple(folder / name for name in names)


def all_pictures(folder: Path) -> tuple[Path, ...]:
    """Every picture of a folder that has no list, in the order of their names.

    Raises:
        UsageError: The folder does not exist, or holds no picture.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} does not exist; name the folder that the set was unpacked into")
    visible = (path for path in folder.iterdir() if not path.name.startswith("."))
    found = sorted(path for path in visible if path.suffix.lower() in PICTURE_SUFFIXES)
    if not found:
        raise UsageError(f"{folder} holds no picture; unpack the set again")
    return tuple(found)


def check_people_known(probes: ListedPictures, gallery: ListedPictures, source: Path) -> None:
    """Raises FacedistillError unless every probe's person is in the gallery."""
    strangers = np.flatnonzero(~np.isin(probes.people, gallery.people))
    if len(strangers):
        names = first_few([probes.files[index].name for index in strangers])
        raise FacedistillError(
            f"{source} lists {len(strangers)} probes of people who are not in the gallery: {names}; "
            "copy the lists again from their origin"
        )


def _variable(variables: dict[str, NDArray[Any]], name: str, mat: Path) -> NDArray[Any]:
    if name not in variables:
        raise UsageError(f"{mat} holds no {name}, but {first_few(variables) or 'nothing'}; is it the list of this set?")
    return variables[name]


def _names(variables: dict[str, NDArray[Any]], name: str, mat: Path) -> NDArray[np.object_]:
    names = _variable(variables, name, mat)
    if names.dtype != object or not names.ndim:
        raise FacedistillError(f"{name} of {mat} is no list of file names; copy it again from its origin")
    return names
