"""The index of a set: where each record begins. A long one is parsed once and then memory-mapped.

Mapped, tens of millions of entries take no memory of their own, and processes on one machine share what they read.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import FacedistillError
from facedistill.files import atomic_path, cache_folder

_CACHED_FROM = 1 << 24  # bytes of text, about a million entries; fewer are parsed faster than they are found
_START = 1 << 10


def read_index(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The keys, int64 [N], ascending and different, and their offsets into the record file, int64 [N].

    Raises:
        FacedistillError: The file is missing or damaged.
    """
    try:
        long = path.stat().st_size >= _CACHED_FROM
    except OSError:  # reported when the file is opened
        long = False
    table = cached("index", path, lambda: _parsed(path)) if long else _parsed(path)
    return table[0], table[1]


def cached(kind: str, source: Path, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """What `make` makes of a file, read-only; made once, kept in the cache folder, then mapped.

    It is made anew when the file's place, size or time of change is another.
    """
    found = source.stat()
    place = f"{kind}-{_short(str(source.resolve()))}"
    path = cache_folder() / f"{place}-{_short(f'{found.st_size} {found.st_mtime_ns}')}.npy"
    try:
        return _mapped(path)
    except (OSError, ValueError):  # not made yet, or cut off by hand
        array = make()
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, array)
    for stale in path.parent.glob(f"{place}-*.npy"):
        if stale != path:
            stale.unlink(missing_ok=True)
    return _mapped(path)


def _mapped(path: Path) -> NDArray[Any]:
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def _short(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:16]


def _parsed(path: Path) -> NDArray[np.int64]:
    """[2, N]: keys and offsets."""
    mend = "copy it again, or write the set again"
    try:
        table = np.zeros((0, 0), np.int64)
        with path.open("rb") as file:
            blank = not file.read(_START).strip()
        if not blank:  # else numpy would warn beside the error
            table = np.loadtxt(path, dtype=np.int64, comments=None, ndmin=2, encoding="ascii")
    except FileNotFoundError:
        raise FacedistillError(f"{path} is missing; {mend}") from None
    except OSError as error:
        raise FacedistillError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise FacedistillError(f"{path} is damaged ({error}); each line must be `key<TAB>offset`; {mend}") from error
    if not len(table) or table.shape[1] != 2:
        raise FacedistillError(f"{path} is damaged; each line must be `key<TAB>offset`; {mend}")
    if (table[1:, 0] < table[:-1, 0]).any():
        table = table[np.argsort(table[:, 0], kind="stable")]
    table = np.ascontiguousarray(table.T)
    if table[0, 0] < 0 or (table[0, 1:] == table[0, :-1]).any():
        raise FacedistillError(f"{path} is damaged: its keys must be positive and differ; {mend}")
    return table
