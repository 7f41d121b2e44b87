"""One input in this process, within limits of time and memory that nothing it calls can catch."""

import os
import resource
import shutil
import signal
import traceback
from pathlib import Path

from facedistill.errors import FacedistillError
from tests.fuzz.reader import Files, Reader

SECONDS, WAITING = 2.0, 60  # of the processor, and of the clock on a machine that others use too
BYTES = 300 << 20
_PAGE = resource.getpagesize()
_LONGEST_MESSAGE = 3000


def write_files(folder: Path, files: Files) -> int:
    """Makes `folder` hold these files alone; returns their bytes."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return sum(map(len, files.values()))


def attempt(reader: Reader, folder: Path, size: int) -> str | None:
    """Reads the files in a folder.

    More than `SECONDS` of processor time end this process by SIGPROF, `WAITING` seconds by SIGALRM. Where more than
    `BYTES` and `size` are asked for, memory runs out.

    Returns:
        What is wrong, in one line; None where the reader did as it should.
    """
    used = int(Path("/proc/self/statm").read_text().split()[0]) * _PAGE
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES + size, resource.RLIM_INFINITY))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.alarm(WAITING)
    try:
        reader.read(folder)
    except FacedistillError as error:
        return _unfit(error)
    except Exception as error:
        return f"{type(error).__name__} at {_place(error)}: {' '.join(str(error).split())[:200]}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return None


def _unfit(error: BaseException) -> str | None:
    message = str(error)
    if "\n" in message or not message.strip() or len(message) > _LONGEST_MESSAGE:
        return f"message of {len(message)} characters, {message.count(chr(10))} line ends, at {_place(error)}"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            return f"{type(cause).__name__} at {_place(cause)}"
        cause = cause.__cause__ or cause.__context__
    return None


def _place(error: BaseException) -> str:
    """The last line of ours that the error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if f"{os.sep}facedistill{os.sep}" in frame.filename] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
