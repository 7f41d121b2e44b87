"""Ends commands at random moments in all ways, and looks for what is left: `python -m tests.kills [MOMENTS]` tells.

Each command works on a tiny input in a folder of its own. It is started, ended, and started again in the same folder
until it comes to its end, whose result must be that of a call that was never ended.
"""

import fcntl
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from facedistill.datasets import load_orl, write_face_set
from facedistill.errors import UsageError
from facedistill.files import sole_writer, write_bytes
from facedistill.pictures import encode_picture
from facedistill.training.log import TIMING, read_lines
from tests.conftest import draw_toy_people

WAYS = ("kill -9", "SIGTERM", "SIGHUP", "closed terminal")
PATIENCE = 5.0  # seconds until all processes of a call that was ended are gone
_MARK = "FACEDISTILL_KILLS_MARK"
_SIGNALS = {"kill -9": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGHUP": signal.SIGHUP}


@dataclass
class Command:
    """A command on a tiny input.

    Attributes:
        words: Its arguments, given the folder of its output.
        result: What must be equal, however often the call was ended.
    """

    words: Callable[[Path], list[str]]
    result: Callable[[Path], object]


@dataclass
class Tally:
    """What came of a command.

    Attributes:
        kills: Calls that were ended.
        left: Processes that were there 5 s later.
        slowest: Most seconds until the last process of an ended call was gone.
        ends: Calls that came to their end.
        wrong: What went wrong.
    """

    kills: int = 0
    left: int = 0
    slowest: float = 0.0
    ends: int = 0
    wrong: list[str] = field(default_factory=list)


def commands(inputs: Path) -> dict[str, Command]:
    """The commands that start processes or take long, by name; their inputs are written to a folder."""
    write_face_set(inputs / "faces", draw_toy_people(12, 4), extension=".png")
    for index, face in enumerate(load_orl().faces[:40]):
        write_bytes(inputs / "photos" / f"p{index // 10}" / f"{index}.png", encode_picture(face.image, ".png"))
    settings = {
        "name": "toy",
        "data": {"faces": str(inputs / "faces"), "held_out_identities": 4, "validation_identities": 4},
        "student": {"backbone": "slim", "width": 0.125, "embedding_size": 16},
        "losses": {"hard": {"weight": 1}},
        "steps": 60,
        "batch_size": 8,
        "validate_every": 20,
        "workers": 2,
        "test": "held_out",
        "device": "cpu",
        "precision": "32",
    }
    (inputs / "train.yaml").write_text(yaml.safe_dump(settings))
    space = {"optimiser.learning_rate": {"low": 0.01, "high": 0.1}}
    (inputs / "search.yaml").write_text(yaml.safe_dump({**settings, "steps": 20, "search": space}))
    slim = str(Path(__file__).parents[1] / "src" / "facedistill" / "models" / "slim-m.onnx")
    standard = "faces@matched 16.eer <= 0"
    return {
        "train": Command(lambda out: ["train", str(inputs / "train.yaml"), "--out", str(out)], _training),
        "synth": Command(
            lambda out: ["synth", str(out), "--identities", "8", "--images", "2", "--workers", "2"], _records
        ),
        "prepare": Command(lambda out: ["prepare", str(inputs / "photos"), str(out), "--workers", "2"], _records),
        "search": Command(
            lambda out: [
                "search",
                str(inputs / "search.yaml"),
                "--until",
                standard,
                "--trials",
                "3",
                "--out",
                str(out),
            ],
            _trials,
        ),
        "eval": Command(lambda out: ["eval", slim, "--on", str(inputs / "faces"), "--json", f"{out}.json"], _figures),
    }


def end_often(command: Command, folder: Path, moments: int, ways: tuple[str, ...] = WAYS, seed: int = 0) -> Tally:
    """Ends a command so many times, at random moments and in each way in turn; see the module."""
    folder.mkdir(parents=True)
    tally, draw = Tally(), random.Random(seed)
    started = time.monotonic()
    if _call(command, folder / "whole").wait() not in (0, 1):
        tally.wrong.append("the call that is not ended fails")
        return tally
    seconds = time.monotonic() - started
    expected = command.result(folder / "whole")
    out, number = folder / "out-0", 0
    while tally.kills < moments:
        process = _call(command, out)
        way = ways[tally.kills % len(ways)]
        try:
            process.wait(draw.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            tally.kills += 1
            _end(process, way)
            _look(process, tally, way, out)
            continue
        _finish(command, out, process, expected, tally)
        number += 1
        out = folder / f"out-{number}"
    _finish(command, out, _call(command, out), expected, tally)
    return tally


def _finish(command: Command, out: Path, process: "Ended", expected: object, tally: Tally) -> None:
    """A call that comes to its end."""
    code = process.wait()
    tally.ends += 1
    try:
        same = command.result(out) == expected
    except (OSError, KeyError) as error:
        same, expected = False, error
    if code not in (0, 1) or not same:
        tally.wrong.append(f"{out.name} ended with {code}, not {expected}: {process.complaint()[-300:]}")


class Ended:
    """A call in a session of its own, with a terminal of its own."""

    def __init__(self, words: list[str]) -> None:
        self.mark = f"{os.getpid()}-{time.monotonic_ns()}"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the call
        self.terminal, other = os.openpty()
        environment = os.environ | {_MARK: self.mark, "OMP_NUM_THREADS": "1"}

        def own_terminal() -> None:
            fcntl.ioctl(other, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [sys.executable, "-m", "facedistill", *words],
            stdin=other,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            env=environment,
            start_new_session=True,
            preexec_fn=own_terminal,
        )
        os.close(other)

    def wait(self, seconds: float | None = None) -> int:
        return self.process.wait(seconds)

    def complaint(self) -> str:
        self._log.seek(0)
        return self._log.read().decode("utf-8", "replace")

    def left(self) -> list[int]:
        """Processes of this call that live, whoever their parent is now."""
        wanted, found = f"{_MARK}={self.mark}".encode(), []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                dead = (path / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
                if not dead and wanted in (path / "environ").read_bytes().split(b"\0"):
                    found.append(int(path.name))
            except OSError:
                continue
        return found


def _call(command: Command, out: Path) -> Ended:
    return Ended(command.words(out))


def _end(process: Ended, way: str) -> None:
    if way == "closed terminal":
        os.close(process.terminal)
    else:
        process.process.send_signal(_SIGNALS[way])


def _look(process: Ended, tally: Tally, way: str, out: Path) -> None:
    started = time.monotonic()
    while process.left() and time.monotonic() - started < PATIENCE:
        process.process.poll()
        time.sleep(0.02)
    tally.slowest = max(tally.slowest, time.monotonic() - started)
    if left := process.left():
        tally.left += len(left)
        tally.wrong.append(f"{way}: {len(left)} processes are left")
        for number in left:
            os.kill(number, signal.SIGKILL)
    process.process.wait()
    if "Traceback" in process.complaint():
        tally.wrong.append(f"{way}: {process.complaint()[-1500:]}")
    try:
        with sole_writer(out):
            pass
    except UsageError as error:
        tally.wrong.append(f"{way}: {error}")


def _training(out: Path) -> object:
    return [{key: value for key, value in line.items() if key != TIMING} for line in read_lines(out / "metrics.jsonl")]


def _records(out: Path) -> object:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.iterdir())}


def _trials(out: Path) -> object:
    trials = json.loads((out / "search.json").read_text())["trials"]
    return [{key: trial[key] for key in ("values", "outcome", "figures")} for trial in trials]


def _figures(out: Path) -> object:
    return json.loads(Path(f"{out}.json").read_text())


def main() -> int:
    """Prints a line a command."""
    moments = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    folder = Path(tempfile.mkdtemp())
    os.environ["FACEDISTILL_CACHE"] = os.environ.get("FACEDISTILL_CACHE", str(folder / "cache"))
    bad = False
    for name, command in commands(folder / "inputs").items():
        if len(sys.argv) > 2 and name not in sys.argv[2:]:
            continue
        tally = end_often(command, folder / name, moments)
        bad |= bool(tally.wrong)
        sys.stdout.write(
            f"{name}: {tally.kills} kills, {tally.left} processes left, {tally.ends} ends, all gone after "
            f"{tally.slowest:.1f} s at most{''.join(f'; {text}' for text in tally.wrong)}\n"
        )
        sys.stdout.flush()
    shutil.rmtree(folder)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
