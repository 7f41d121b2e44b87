"""Renders a set in a process of its own while others read what is there."""

import json
import os
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO

from facedistill.errors import FacedistillError
from facedistill.progress import notify
from facedistill.synth.pool import SETTINGS, RenderSettings, part_path

_LOOK = 0.2  # seconds between two looks whether people are rendered
_NOTICE = 60.0  # seconds of waiting between two notices
_LAST_WORDS = 4096  # bytes


class Renderers:
    """Renders the people of a set in the background, on whatever the cores have left.

    The set in the folder is the one that `write_synthetic` writes, whoever renders its people: where another process is
    at work there, this one waits for its turn and meanwhile finds what that one renders.

    Args:
        out: Folder of the set.
        settings: What is rendered.
        identities: Number of people.
        first: Numbers of the people that are needed first; the others follow in their order.
        workers: Processes that render; None takes one per core.

    Raises:
        FacedistillError: The process cannot be started.
    """

    def __init__(
        self,
        out: Path,
        settings: RenderSettings,
        identities: int,
        first: Sequence[int] = (),
        workers: int | None = None,
    ) -> None:
        self._out, self._order, self._there = out, list(dict.fromkeys([*first, *range(identities)])), 0
        job = {"out": str(out.resolve()), "identities": identities, "first": list(first), "workers": workers}
        self._job = json.dumps(job | asdict(settings)).encode() + b"\n"
        self._start()

    @property
    def people(self) -> int:
        """Number of people, in the order in which they are needed, that are rendered."""
        while self._there < len(self._order) and part_path(self._out, self._order[self._there]).exists():
            self._there += 1
        if self._there < len(self._order) and (self._out / SETTINGS).exists():
            self._there = len(self._order)
        return self._there

    def wait(self, people: int, stopped: Callable[[], bool] = lambda: False) -> bool:
        """Waits until the first `people` are rendered.

        Args:
            people: In the order in which they are needed.
            stopped: Ends the waiting.

        Returns:
            Whether they are; False where `stopped` ended it.

        Raises:
            FacedistillError: They cannot be rendered: the disk is full, or processes are killed again and again; what
                is rendered is kept.
        """
        noticed = time.monotonic()
        while self.people < people:
            if stopped():
                return False
            self._restart_if_ended()
            if time.monotonic() - noticed > _NOTICE:
                notify(f"waiting for people to be rendered: {self.people} of {people}")
                noticed = time.monotonic()
            time.sleep(_LOOK)
        return True

    def close(self) -> None:
        """Ends the rendering; the same call goes on with it another time."""
        self._finalizer()

    def _start(self) -> None:
        self._begun_with = self.people
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - `_end` closes it
        command = [sys.executable, "-m", "facedistill.synth.grow"]
        try:
            # A session of its own: Ctrl-C on the terminal is for the parent.
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._words, start_new_session=True
            )
        except OSError as error:
            raise FacedistillError(f"cannot start the process that renders people: {error.strerror}") from error
        self._finalizer = weakref.finalize(self, _end, self._process, self._words, os.getpid())
        assert self._process.stdin is not None, "it is a pipe"
        with suppress(BrokenPipeError):  # it has ended; `wait` finds out why
            self._process.stdin.write(self._job)
            self._process.stdin.flush()

    def _restart_if_ended(self) -> None:
        """Starts it again where it was killed after it had rendered somebody; else what ended it would do so again."""
        if self._process.poll() is None or self.people == len(self._order):
            return
        self._words.seek(max(0, self._words.seek(0, os.SEEK_END) - _LAST_WORDS))
        words = self._words.read().decode("utf-8", "replace").strip().splitlines()
        reason = words[-1] if words else "the process that renders people was killed"
        self.close()
        if self.people == self._begun_with:
            raise FacedistillError(reason)
        notify(f"{reason}; rendering goes on")
        self._start()


def _end(process: subprocess.Popen[bytes], words: IO[bytes], owner: int) -> None:
    if os.getpid() != owner:  # in a fork
        return
    process.kill()  # what it has rendered is on the disk
    process.wait()
    assert process.stdin is not None, "it is a pipe"
    with suppress(BrokenPipeError):
        process.stdin.close()
    words.close()
