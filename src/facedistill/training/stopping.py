"""When a training stops before its last step: on Ctrl-C, on SIGTERM or SIGHUP, or when its time is up."""

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stop:
    """Whether to stop; called between two steps.

    Args:
        minutes: Until the time is up; None for ever.
    """

    def __init__(self, minutes: float | None) -> None:
        self._event = threading.Event()
        self._deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes

    @property
    def wanted(self) -> bool:
        """Whether the user stopped it."""
        return self._event.is_set()

    def __call__(self) -> bool:
        """Whether the user stopped it or its time is up."""
        return self.wanted or time.monotonic() >= self._deadline

    def want(self) -> None:
        """Stops it for the user."""
        self._event.set()


def stop_signals() -> list[signal.Signals]:
    """Those that stop a training: Ctrl-C, SIGTERM, and SIGHUP (the terminal was closed) unless that is ignored."""
    hang_up = [signal.SIGHUP] if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN else []
    return [signal.SIGINT, signal.SIGTERM, *hang_up]


@contextmanager
def stopping(minutes: float | None) -> Iterator[Stop]:
    """Each of `stop_signals` stops it instead of interrupting a step; a second one interrupts the step."""
    stop = Stop(minutes)
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    former = {number: signal.getsignal(number) for number in stop_signals()}

    def handle(number: int, _frame: object) -> None:
        stop.want()
        signal.signal(number, former[signal.Signals(number)])

    try:
        for number in former:
            signal.signal(number, handle)
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
