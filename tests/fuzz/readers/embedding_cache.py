"""Cached embeddings: whatever lies there, those of the model come out."""

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets import Face, FaceList
from facedistill.evaluation.cache import cached_embeddings
from tests.fuzz.reader import Files, Reader

FACES = FaceList(Face(np.full((8, 8, 3), 40 * number + 1, np.uint8), number, str(number)) for number in range(4))


def embed(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    return crops.reshape(len(crops), -1)[:, :4].astype(np.float32)


def goldens() -> list[Files]:
    with tempfile.TemporaryDirectory() as folder:
        cached_embeddings(embed, FACES, "digest", Path(folder))
        return [{path.name: path.read_bytes() for path in Path(folder).iterdir()}]


def read(folder: Path) -> None:
    kept = cached_embeddings(embed, FACES, "digest", folder)
    assert kept.embeddings.shape[1] == 4, "a checksum fits, or they are made anew"


READER = Reader(
    goldens,
    read,
    tokens=(b"[", b"{", b"]", b"}", b"1e999", b"[1e999, 2],", b"9" * 5000, b"\x93NUMPY", b"'shape': (9, 9)"),
)
