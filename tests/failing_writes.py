"""A disk that fails: from the N-th operation on, all that writes below a folder fails as on a full disk."""

import builtins
import errno
import io
import os
from contextlib import contextmanager
from pathlib import Path

WRITING = set("wax+")


class FailingDisk:
    """Counts what writes below `folder`; fails from operation `first` on, or at that one alone.

    Attributes:
        count: Operations so far.
    """

    def __init__(self, folder: Path, first: int | None, once: bool = False) -> None:
        self.folder, self.first, self.once, self.count = str(folder.resolve()), first, once, 0

    def below(self, path) -> bool:
        return not isinstance(path, int) and str(Path(os.fsdecode(path)).absolute()).startswith(self.folder)

    def operation(self) -> None:
        self.count += 1
        if self.first is not None and (self.count == self.first or (not self.once and self.count > self.first)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def failing_disk(folder: Path, first: int | None, once: bool = False):
    """Yields a `FailingDisk` that all files which Python opens below `folder` are on; `first` None only counts."""
    disk = FailingDisk(folder, first, once)
    true_open = io.open

    class Raw(io.FileIO):
        def write(self, data):
            disk.operation()
            return super().write(data)

    def opened(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):
        if not set(mode) & WRITING or not disk.below(file):
            return true_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
        disk.operation()
        raw = Raw(file, mode.replace("b", "").replace("t", ""), closefd, opener)
        if buffering == 0:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

    def counted(true, places):
        def call(*arguments, **options):
            if any(disk.below(arguments[place]) for place in places):
                disk.operation()
            return true(*arguments, **options)

        return call

    def fsync(file):
        disk.operation()
        return true_fsync(file)

    names = {"replace": (1,), "rename": (1,), "mkdir": (0,)}
    former = {name: getattr(os, name) for name in names}
    true_fsync = os.fsync
    builtins.open = io.open = opened
    os.fsync = fsync
    for name, places in names.items():
        setattr(os, name, counted(former[name], places))
    try:
        yield disk
    finally:
        builtins.open = io.open = true_open
        os.fsync = true_fsync
        for name, true in former.items():
            setattr(os, name, true)
