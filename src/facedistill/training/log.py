"""The log of a training run: `metrics.jsonl`, TensorBoard, and one progress line."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

from facedistill.files import write_text
from facedistill.printable import printable
from facedistill.processes import process_rank

METRICS = "metrics.jsonl"
TIMING = "timing"


class RunLog:
    """Writes a line a record to `metrics.jsonl` and the same scalars to TensorBoard.

    Everything that depends on the clock stands under the key `timing`; all else is equal between two runs
    of the same recipe on the same machine. Of several processes only the first writes.

    Args:
        folder: The run folder.
        description: Shown before the progress bar.
        steps: Steps in the whole run.
        first_step: Where this session starts; later lines of an interrupted one are dropped.
        pending: The lines of `first_step` itself are written anew.
    """

    def __init__(self, folder: Path, description: str, steps: int, first_step: int, pending: bool = False) -> None:
        self._writes = process_rank() == 0
        if not self._writes:
            return
        self._path = folder / METRICS
        kept = [line for line in read_lines(self._path) if line["step"] < first_step + (not pending)]
        write_text(self._path, "".join(json.dumps(line) + "\n" for line in kept))
        self._file = self._path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=first_step + 1 if first_step else None)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[status]}", markup=False),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task(printable(description), total=steps, completed=first_step, status="")

    def __enter__(self) -> Self:
        if self._writes:
            with suppress(OSError):  # here and below: the terminal was closed, and the work goes on
                self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writes:
            with suppress(OSError):
                self._bar.stop()
            self._file.close()
            self._board.close()

    def advance(self, step: int, status: str) -> None:
        """Moves the progress line to `step` steps done."""
        if self._writes:
            with suppress(OSError):
                self._bar.update(self._task, completed=step, status=printable(status))

    def write(self, kind: str, step: int, values: Mapping[str, float], timing: Mapping[str, float]) -> None:
        """Appends one record.

        Args:
            kind: "train" or "validation".
            step: Steps done.
            values: Figures, which are equal in every repetition.
            timing: Durations and rates, which differ in every repetition.
        """
        if not self._writes:
            return
        record: dict[str, Any] = {"step": step, "kind": kind, **values, TIMING: dict(timing)}
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()
        for name, value in (*values.items(), *timing.items()):
            self._board.add_scalar(f"{kind}/{name}", value, step)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The whole records of a `metrics.jsonl`; a line cut off by a crash, or damaged, ends them."""
    if not path.exists():
        return []
    lines = []
    for line in path.read_bytes().split(b"\n"):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            break
        if not isinstance(record, dict) or not isinstance(record.get("step"), int):
            break
        lines.append(record)
    return lines
