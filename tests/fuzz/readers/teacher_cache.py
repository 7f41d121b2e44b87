"""A teacher's cached embeddings."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedistill.teachers import open_cache
from tests.fuzz.reader import Files, Reader
from tests.fuzz.readers.embedding_cache import FACES


class Flat:
    """A teacher that gives the first pixels."""

    name, input_size, embedding_size = "flat", (8, 8), 4
    normalisation, digest = "RGB", "d" * 64

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        return crops.reshape(len(crops), -1)[:, :4].astype(np.float32)


def goldens() -> list[Files]:
    with tempfile.TemporaryDirectory() as folder:
        open_cache(Flat(), FACES, Path(folder))
        return [{path.name: path.read_bytes() for path in Path(folder).iterdir()}]


def read(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is built anew
        open_cache(Flat(), FACES, folder)


READER = Reader(
    goldens, read, tokens=(b"[", b"{", b"]", b"}", b"1e999", b"9" * 5000, b"null", b"\x93NUMPY", b'"done": 4')
)
