"""LFW's list of pairs."""

from pathlib import Path

from facedistill.datasets import read_lfw_pairs
from tests.fuzz.reader import Files, Reader

PAIRS = "2\t1\nAda\t1\t2\nAda\t2\tAlan\t10\nJosé\t1\t3\nAlan\t10\tJosé\t3\n"
NAMES = ("Ada_0001", "Ada_0002", "Alan_0010", "José_0001", "José_0003")


def goldens() -> list[Files]:
    spaced = PAIRS.replace("\t", " ").replace("\n", "\r\n")
    return [{"pairs.txt": text} for text in (PAIRS.encode(), PAIRS.encode("utf-16"), spaced.encode("latin-1"))]


def assemble(parts: Files) -> Files:
    return {**parts, **{f"lfw/{name[:-5]}/{name}.png": b"" for name in NAMES}}


def read(folder: Path) -> object:
    return read_lfw_pairs(folder / "lfw", folder / "pairs.txt")


READER = Reader(
    goldens,
    read,
    assemble,
    (b"\t", b"\n", b"\r", b"Ada\t1\t2\n", b"\xef\xbb\xbf", b"\xff\xfe", "\u2028".encode(), b"\0"),
)
