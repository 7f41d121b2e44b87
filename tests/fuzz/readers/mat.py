"""MAT-files, plain and with what is compressed in them."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from scipy.io import savemat

from facedistill.datasets.mat_lists import read_id_list
from tests.fuzz.reader import Files, Reader

HEADER = 128
NAMES = ("1_a.jpg", "22_b.jpg")


def goldens() -> list[Files]:
    names = np.empty((2, 1), dtype=object)
    names[:, 0] = NAMES
    file = io.BytesIO()
    savemat(
        file, {"probe_set": names, "probe_ids": np.array([[1], [22]], np.uint16), "note": "text", "more": {"a": 1.0}}
    )
    return [{"list.mat": file.getvalue()}, {"head": file.getvalue()[:HEADER], "packed": file.getvalue()[HEADER:]}]


def assemble(parts: Files) -> Files:
    pictures = {f"probe/{name}": b"" for name in NAMES}
    if "list.mat" in parts:
        return {**parts, **pictures}
    squeezed = zlib.compress(parts["packed"], 1)
    return {"list.mat": parts["head"] + struct.pack("<II", 15, len(squeezed)) + squeezed, **pictures}


def read(folder: Path) -> object:
    return read_id_list(folder / "list.mat", "probe", folder / "probe")


TAGS = tuple(struct.pack("<II", kind, size) for kind in (1, 5, 6, 14, 15) for size in (0, 8, 2**32 - 1))
CELL = struct.pack("<IIIIIIIIIIIIIIII", 14, 56, 6, 8, 4, 0, 5, 8, 1, 1, 1, 0, 16, 1, 97, 0)
READER = Reader(goldens, read, assemble, (*TAGS, CELL, struct.pack("<i", 2**31 - 1), b"MATLAB 7.3"))
