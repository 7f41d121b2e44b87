"""Functions that the readers of protocol lists share: reading the text, and checking that the listed pictures exist."""

import codecs
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import FacedistillError, UsageError
from facedistill.file_kinds import file_kind

_MOST_BYTES = 2 << 30
_MOST_NAMED, _LONGEST_NAME, _SHOWN = 5, 400, 100  # names, and characters of one
_CONTROLS = tuple(bytes([code]) for code in range(32) if chr(code) not in "\t\n\r\f")

Name = TypeVar("Name", str, Path)


def read_list(path: Path, what: str) -> str:
    """The text of a list: UTF-8 or UTF-16 with or without their marks, else Latin-1; line ends become newlines.

    Args:
        path: The file.
        what: What it is, for the message.

    Raises:
        UsageError: It is missing, no text, or larger than 2 GiB.
    """
    try:
        if path.is_file() and path.stat().st_size > _MOST_BYTES:
            raise UsageError(f"{what} {path} is larger than {_MOST_BYTES >> 30} GiB; it is no such list")
        kind = file_kind(path)
        if kind is not None:
            raise UsageError(f"cannot read {what} {path}: it is {kind.name}, not a text; {kind.mend}")
        text = _decoded(path.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"cannot read {what} {path}: {reason}; see docs/protocols.md for the layout") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    if b"\0" in data:
        raise UnicodeDecodeError("utf-8", data[:1], 0, 1, "it is no text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        if any(data.count(control) for control in _CONTROLS):  # every byte is a letter in Latin-1, in a picture's too
            raise
        return data.decode("latin-1")


def separator(text: str) -> str:
    """What separates the cells of a list: a comma, or a tab or semicolon where its first line has no comma."""
    first = text.lstrip("\n").partition("\n")[0]
    return next((mark for mark in (",", "\t", ";") if mark in first), ",")


def is_inside(name: str) -> bool:
    """Whether a listed path stays within the folder that it is relative to."""
    path = PurePosixPath(name)
    return bool(name.strip()) and "\0" not in name and not path.is_absolute() and ".." not in path.parts


def first_folder(root: Path, names: Iterable[str]) -> Path:
    """The first of the folders `names` that lies in `root`; `root` itself where none does."""
    return next((root / name for name in names if (root / name).is_dir()), root)


def require_files(paths: Iterable[Path], source: Path) -> None:
    """Refuses a list that names pictures which are not there.

    Raises:
        FacedistillError: Some are missing; the first of them are named.
    """
    paths = list(paths)
    if missing := [path for path in paths if not is_file(path)]:
        raise FacedistillError(
            f"{len(missing)} of the {len(paths)} pictures that {source} names are missing: {first_few(missing)}; "
            "unpack them again"
        )


def first_few(names: Iterable[object]) -> str:
    """The first five of some names, for a message; long ones are shortened."""
    listed = [shown(str(name)) for name in names]
    return ", ".join(listed[:_MOST_NAMED]) + (", ..." if len(listed) > _MOST_NAMED else "")


def shown(name: str) -> str:
    """A name from a list, for a message: the middle of a long one is left out."""
    return name if len(name) <= _LONGEST_NAME else f"{name[:_SHOWN]}...{name[-_SHOWN:]}"


def index_pairs(pairs: Sequence[tuple[Name, Name]]) -> tuple[tuple[Name, ...], NDArray[np.int64], NDArray[np.int64]]:
    """The different names in pairs, as they come, and the pairs' first and second names as indices into these."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(chain.from_iterable(pairs)))}
    first, second = (np.array([numbers[pair[side]] for pair in pairs], np.int64) for side in (0, 1))
    return tuple(numbers), first, second


def is_file(path: Path) -> bool:
    """Whether there is such a file; one whose name no folder allows does not exist."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; one of a name that no folder has does not exist."""
    try:
        return path.is_dir()
    except OSError:
        return False


def stored_pictures(pictures: Sequence[Path], suffixes: Sequence[str]) -> tuple[Path, ...]:
    """The files in which pictures are stored, whatever their format.

    Args:
        pictures: Files as a list or protocol names them.
        suffixes: Suffixes that a picture may have instead, in lower case, the preferred one first.

    Returns:
        For each, the file beside it of the same stem with one of the suffixes, in upper or lower case; where there is
        none, the file as named.
    """
    folders: dict[Path, dict[str, list[Path]]] = {}
    rank = {suffix: place for place, suffix in enumerate(suffixes)}
    for folder in {picture.parent for picture in pictures}:
        stems = folders.setdefault(folder, {})
        for file in _files_in(folder):
            if file.suffix.lower() in rank:
                stems.setdefault(file.stem, []).append(file)
    return tuple(
        min(found, key=lambda file: (rank[file.suffix.lower()], file.name))
        if (found := folders[picture.parent].get(picture.stem))
        else picture
        for picture in pictures
    )


def _files_in(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (OSError, ValueError):  # missing, or of a name that no folder has
        return []
