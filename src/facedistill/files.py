"""Files that are whole or absent: atomic writes, digests, folders in use, and the user's cache folder."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from facedistill.errors import FacedistillError, UsageError


def cache_folder() -> Path:
    """The folder for converted weights: `$FACEDISTILL_CACHE`, else the XDG cache; made when missing."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("FACEDISTILL_CACHE") or base / "facedistill")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FacedistillError(
            f"cannot make the cache folder {folder}: {error.strerror}; "
            "set FACEDISTILL_CACHE to a folder that can be written"
        ) from error
    return folder


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yields a temporary sibling of `path`; on success it is synced and renamed to `path`.

    On any exception (Ctrl-C and a full disk included) the temporary file is removed
    and whatever stood at `path` before is untouched.

    Raises:
        FacedistillError: The file cannot be written (full disk, no permission).
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise FacedistillError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # where the folder itself could not be made there is nothing to remove
            temporary.unlink()


@contextmanager
def sole_writer(folder: Path, wait: bool = False) -> Iterator[None]:
    """Keeps this user's other processes on this machine out of `folder` while the work in it goes on.

    The lock is a file in the cache folder, which the system frees however the process ends.

    Args:
        folder: Need not exist yet.
        wait: For whoever is at work there, instead of refusing.

    Raises:
        UsageError: Another process is at work there.
        FacedistillError: The cache folder cannot be written.
    """
    from filelock import FileLock, Timeout  # takes longer to import than the rest of this file

    from facedistill.progress import notify

    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()
    lock = FileLock(cache_folder() / "locks" / f"{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not wait:
            raise UsageError(f"{folder} is in use by another process; wait for it, or give another folder") from None
        notify(f"{folder} is in use by another process; waiting for it")
        lock.acquire()
    except OSError as error:
        raise FacedistillError(f"cannot lock {folder}: {error.strerror or error} ({lock.lock_file})") from error
    try:
        yield
    finally:
        lock.release()


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Path, data: bytes) -> None:
    """Writes bytes atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
