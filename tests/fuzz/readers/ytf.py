"""The list of pairs of YouTube Faces."""

from pathlib import Path

from facedistill.datasets.ytf import read_ytf
from tests.fuzz.reader import Files, Reader

PAIRS = (
    b"split, first, second, is same\n1, Ada/0, Ada/1, 1\n1, Ada/0, Alan/0, 0\n"
    b"2, Alan/0, Alan/1, 1\n2, Ada/1, Alan/1, 0\n"
)


def goldens() -> list[Files]:
    return [{"splits.txt": PAIRS}, {"splits.txt": PAIRS.replace(b", ", b"\t")}]


def assemble(parts: Files) -> Files:
    return {**parts, **{f"{name}/{number}/1.jpg": b"" for name in ("Ada", "Alan") for number in (0, 1)}}


def read(folder: Path) -> object:
    return read_ytf(folder)


READER = Reader(goldens, read, assemble, (b",", b"\t", b"\n", b"1, Ada/0, Alan/0, 0\n", b"../", b"\0"))
