"""The parent process: runs the child, goes on behind inputs that end it, and makes what is found small."""

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.mutation import parts_of
from tests.fuzz.reader import Files, load_reader

CORPUS = Path(__file__).parent / "corpus"
_ROOT = Path(__file__).parents[2]
_ENDED = {
    signal.SIGPROF: "more than 2 s",
    signal.SIGALRM: "it waits",
    signal.SIGSEGV: "SIGSEGV",
    signal.SIGKILL: "killed (memory)",
}
_PATIENCE = 600  # seconds that a child may take to load on a busy machine


@dataclass(frozen=True)
class Finding:
    """An input that a reader did not bear.

    Attributes:
        reader: The reader.
        number: The input's number; with the seed it gives the input.
        what: What happened.
    """

    reader: str
    number: int
    what: str


@dataclass
class Result:
    """What a hunt found.

    Attributes:
        inputs: Reader -> inputs read.
        findings: All that was found, each kind of a reader once.
    """

    inputs: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


def hunt(names: Sequence[str], seconds: float, seed: int) -> Result:
    """Gives the readers mutated files, turn by turn, for so many seconds."""
    result, first, end = Result(), 0, time.monotonic() + seconds
    seen = set()
    while (left := end - time.monotonic()) > 0:
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder) / "state"
            words = [sys.executable, "-m", "tests.fuzz.worker", str(state), f"{folder}/files", str(seed), str(left)]
            done = subprocess.run(
                [*words, str(first), *names], capture_output=True, text=True, cwd=_ROOT, timeout=left + _PATIENCE
            )
            found = [json.loads(line) for line in done.stdout.splitlines()]
            at = state.read_text().split() if state.exists() else []
        for entry in found:
            if (entry["reader"], entry["what"].partition(":")[0]) not in seen:
                seen.add((entry["reader"], entry["what"].partition(":")[0]))
                result.findings.append(Finding(entry["reader"], entry["number"], entry["what"]))
        if not at:
            raise RuntimeError(f"the child reads no whole file of {names}: {done.stderr[-2000:]}")
        last = int(at[1])
        result.inputs.update(dict.fromkeys(names, last + 1 - first))
        if not done.returncode:
            return result
        number = signal.Signals(-done.returncode) if done.returncode < 0 else None
        what = _ENDED.get(number, number.name) if number else f"exit {done.returncode}: {done.stderr[-200:]}"
        if (at[0], what) not in seen:
            seen.add((at[0], what))
            result.findings.append(Finding(at[0], last, what))
        first = last + 1
    return result


def bears(name: str, files: Files) -> str | None:
    """What is wrong when a reader reads these files in a process of its own; None for nothing."""
    with tempfile.TemporaryDirectory() as folder:
        for file, content in files.items():
            path = Path(folder, "files", file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        words = [sys.executable, "-m", "tests.fuzz.once", name, f"{folder}/files"]
        done = subprocess.run(words, capture_output=True, text=True, cwd=_ROOT, timeout=_PATIENCE)
    if done.returncode < 0:
        number = signal.Signals(-done.returncode)
        return _ENDED.get(number, number.name)
    wrong = done.stdout.strip().removeprefix(f"{name} files: ")
    return wrong or (done.stderr[-300:] if done.returncode else None)


def keep(finding: Finding, seed: int, tries: int = 40) -> Path:
    """Writes a finding to the corpus, made smaller: stretches are left out as long as the same goes wrong."""
    reader = load_reader(finding.reader)
    parts = dict(parts_of(reader, reader.goldens(), finding.reader, seed, finding.number)[0])
    kind, rng = finding.what.partition(":")[0], random.Random(0)
    for _ in range(tries):
        part = max(parts, key=lambda name: len(parts[name]))
        length = max(1, len(parts[part]) // rng.choice((2, 3, 5, 10)))
        at = rng.randrange(max(1, len(parts[part]) - length + 1))
        fewer = parts | {part: parts[part][:at] + parts[part][at + length :]}
        if (wrong := bears(finding.reader, reader.assemble(fewer))) and wrong.partition(":")[0] == kind:
            parts = fewer
    folder = CORPUS / finding.reader / f"{seed}-{finding.number}"
    for name, content in reader.assemble(parts).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder
