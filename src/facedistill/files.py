"""Files that are whole or absent: atomic writes, digests, folders in use, and the user's cache folder."""

import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from facedistill.errors import FacedistillError, UsageError

_UNFINISHED = re.compile(r"\.[0-9a-f]{16}\.part")
_PIPE_PATIENCE = 10.0  # seconds for somebody to read from a pipe


def cache_folder() -> Path:
    """The folder for converted weights: `$FACEDISTILL_CACHE`, else the XDG cache; made when missing.

    Raises:
        FacedistillError: It cannot be made, or there is no home folder to look for it in.
    """
    mend = "set FACEDISTILL_CACHE to a folder that can be written"
    named = os.environ.get("FACEDISTILL_CACHE") or os.environ.get("XDG_CACHE_HOME")
    try:
        folder = Path(named or Path.home() / ".cache")
    except RuntimeError as error:  # no HOME, and no account: a container that runs as any number
        raise FacedistillError(f"this user has no home folder to keep files in; {mend}") from error
    if not os.environ.get("FACEDISTILL_CACHE"):
        folder /= "facedistill"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FacedistillError(f"cannot make the cache folder {folder}: {error.strerror}; {mend}") from error
    return folder


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it; within the cache folder with its rights, so that those who share it can write.

    Raises:
        OSError: It cannot be made.
    """
    if folder.is_dir():
        return
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    if (cache := _cache_of(folder)) is not None:
        for each in missing:
            with suppress(OSError):  # another user made it meanwhile
                each.chmod(stat.S_IMODE(cache.stat().st_mode))


def check_output(path: Path) -> None:
    """Refuses the name of a file that cannot be written, before any work is done for it.

    Raises:
        UsageError: The name is a folder's, its folder is missing, or nothing can be written there.
    """
    try:
        target = _target(Path(path))
        kind = target.stat().st_mode if target.exists() else stat.S_IFREG
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    if stat.S_ISDIR(kind):
        raise UsageError(f"{str(path)!r} is a folder; name a file in it")
    if not _is_written_into(kind) and not stat.S_ISREG(kind):
        raise UsageError(f"{path} is no file, pipe or character device; name another file")
    if not target.parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {target.parent}; make it first")
    where = target if _is_written_into(kind) else target.parent  # a regular file is replaced, within its folder
    if not os.access(where, os.W_OK):
        raise UsageError(f"cannot write {path}: no right to write to {where}")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yields a temporary sibling of `path`; on success it is synced and renamed to `path`.

    On any exception (Ctrl-C and a full disk included) the temporary file is removed and whatever stood at `path`
    before is untouched. Where `path` is a link, the file that it leads to is replaced, and the link stays; into a pipe
    or a character device the finished content is written, and it stays one.

    Raises:
        FacedistillError: The file cannot be written (full disk, no permission, a pipe that nobody reads from).
    """
    try:
        path = _target(Path(path))
        into = path.exists() and _is_written_into(path.stat().st_mode)
        folder = Path(tempfile.gettempdir()) if into else path.parent
        temporary = folder / f".{secrets.token_hex(8)}.part"  # short: `path` may have the longest name there is
        if not into:
            make_folder(folder)
    except OSError as error:
        raise FacedistillError(f"cannot write {path}: {error.strerror or error}") from error
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
            if into:
                _copy_into(path, file)
            elif path.exists() and not path.is_file():
                raise FacedistillError(f"cannot write {path}: it is no file, pipe or character device")
            else:
                temporary.replace(path)
    except OSError as error:
        raise FacedistillError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def remove_unfinished(folder: Path) -> None:
    """Removes what a killed process left unfinished in a folder whose `sole_writer` this process is.

    Raises:
        OSError: The folder cannot be read.
    """
    for path in folder.iterdir():
        if _UNFINISHED.fullmatch(path.name):
            path.unlink(missing_ok=True)


def _target(path: Path) -> Path:
    """The file that a link leads to; a path that resolves to no other file, such as /dev/stdout's, as it is."""
    resolved = Path(os.path.realpath(path))
    if resolved.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if path.exists() and not (resolved.exists() and resolved.samefile(path)):
        return path
    return resolved if path.is_symlink() else path


def _is_written_into(mode: int) -> bool:
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _copy_into(path: Path, content: IO[bytes]) -> None:
    """Writes into a pipe or a device; opening a pipe that nobody reads from would wait for ever."""
    deadline = time.monotonic() + _PIPE_PATIENCE
    while True:
        try:
            file = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > deadline:
                raise FacedistillError(f"cannot write {path}: nobody reads from this pipe") from error
            time.sleep(0.05)
    os.set_blocking(file, True)
    with os.fdopen(file, "wb") as out:
        shutil.copyfileobj(content, out)


def _cache_of(folder: Path) -> Path | None:
    """The cache folder, where `folder` lies in it."""
    try:
        cache = cache_folder()
    except FacedistillError:
        return None
    return cache if folder.resolve().is_relative_to(cache.resolve()) else None


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
    locks = cache_folder() / "locks"
    # Whoever can write in the cache folder can open the locks of the others who share it.
    lock = FileLock(locks / f"{name}.lock", mode=stat.S_IMODE(locks.parent.stat().st_mode) & 0o666)
    try:
        make_folder(locks)
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
    """Writes UTF-8 text atomically; bytes of a file's name that are not UTF-8 (`os.fsdecode`) become escapes."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_bytes(path: Path, data: bytes) -> None:
    """Writes bytes atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
