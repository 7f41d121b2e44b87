"""How long training steps take, and how much of that is waiting for pictures."""

import time


class Clock:
    """Splits the time since the last reading into steps and waiting for data."""

    def __init__(self) -> None:
        self._mark = time.perf_counter()
        self._waited = self._whole = 0.0
        self._steps = 0
        self._waiting = 0.0
        self._first = True

    def data_came(self) -> None:
        """The next batch is there."""
        now = time.perf_counter()
        # The first batch includes the start of the worker processes.
        self._waiting = 0.0 if self._first else now - self._mark
        self._first = False
        if not self._waiting:
            self._mark = now

    def step_done(self) -> float:
        """The step is done; returns its seconds, the waiting included."""
        now = time.perf_counter()
        seconds = now - self._mark
        self._whole += seconds
        self._waited += self._waiting
        self._steps += 1
        self._mark = now
        return seconds

    def read(self, batch_size: int) -> dict[str, float]:
        """images/s and the share of step time spent waiting for data, since the last reading."""
        figures = {
            "images_per_second": self._steps * batch_size / max(self._whole, 1e-9),
            "data_wait_share": self._waited / max(self._whole, 1e-9),
        }
        self._whole = self._waited = 0.0
        self._steps = 0
        return figures
