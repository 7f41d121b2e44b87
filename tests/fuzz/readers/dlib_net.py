"""The beginning of dlib's own file of its net: the layers' versions, the input and the first convolutions."""

from pathlib import Path

from facedistill.teachers.dlib_net import read_dlib_net
from facedistill.teachers.dlib_teacher import dlib_weights
from tests.fuzz.reader import Files, Reader

BEGINNING = 60_000


def goldens() -> list[Files]:
    with dlib_weights().open("rb") as file:
        return [{"net.dat": file.read(BEGINNING)}]


def read(folder: Path) -> object:
    return read_dlib_net(folder / "net.dat")


READER = Reader(
    goldens, read, tokens=(b"\x08" + b"\xff" * 8, b"\x88" + b"\xff" * 8, b"\x01\x02", b"\x01\x05con_4", b"\x00")
)
