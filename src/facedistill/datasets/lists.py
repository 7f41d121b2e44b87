"""Functions that the readers of protocol lists share: reading the text, and checking that the listed pictures exist."""

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import FacedistillError, UsageError

_MOST_BYTES = 2 << 30
_MOST_NAMED = 5

Name = TypeVar("Name", str, Path)


def read_list(path: Path, what: str) -> str:
    """The text of a list.

    Args:
        path: The file.
        what: What it is, for the message.

    Raises:
        UsageError: It is missing, no text, or larger than 2 GiB.
    """
    try:
        if path.is_file() and path.stat().st_size > _MOST_BYTES:
            raise UsageError(f"{what} {path} is larger than {_MOST_BYTES >> 30} GiB; it is no such list")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"cannot read {what} {path}: {reason}; see docs/protocols.md for the layout") from error


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
    """The first five of some names, for a message."""
    listed = [str(name) for name in names]
    return ", ".join(listed[:_MOST_NAMED]) + (", ..." if len(listed) > _MOST_NAMED else "")


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
