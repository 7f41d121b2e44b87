"""The summary of a run."""

from pathlib import Path

from facedistill.pipelines.finished_run import read_summary
from tests.fuzz.reader import Files, Reader

SUMMARY = b'{"settings": {"steps": 10}, "models": {"student": {"name": "student", "macs": 12}}, "test": {"16": 0.1}}'


def goldens() -> list[Files]:
    return [{"summary.json": SUMMARY}]


def read(folder: Path) -> None:
    assert isinstance(read_summary(folder), dict), "who reads a summary looks up what is in it"


READER = Reader(goldens, read, tokens=(b"[", b"{", b'{"a":', b"}", b"null", b"1e999", b"9" * 5000, b"\xff", b"\0"))
