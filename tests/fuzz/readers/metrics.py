"""The log of a run."""

from pathlib import Path

from facedistill.training.log import read_lines
from tests.fuzz.reader import Files, Reader

LINES = (
    b'{"step": 10, "kind": "loss", "loss": 1.5, "timing": {"seconds": 0.1}}\n{"step": 20, "kind": "eer", "eer": 0.1}\n'
)


def goldens() -> list[Files]:
    return [{"metrics.jsonl": LINES}]


def read(folder: Path) -> None:
    for line in read_lines(folder / "metrics.jsonl"):
        assert isinstance(line, dict), "who reads the log looks up what is in each record"


READER = Reader(
    goldens, read, tokens=(b"[", b"{", b'{"a":', b"}", b"\n", b"null\n", b"3\n", b"1e999", b"9" * 5000, b"\xff", b"\0")
)
