"""Verification files (`.bin`): pickles, also packed by gzip."""

import gzip
import pickle
import zlib
from pathlib import Path

import numpy as np

from facedistill.datasets import read_bin
from tests.fuzz.reader import Files, Reader

PICTURES = [b"\x80first", b"second", b"", b"fourth\n"]
TRUTHS = ([True, False], np.array([1.0, 0.0]), [np.bool_(True), np.bool_(False)])
GLOBALS = (b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"c_codecs\nencode\n")


def goldens() -> list[Files]:
    arrays = [np.frombuffer(picture, np.uint8) for picture in PICTURES]
    plain = [
        pickle.dumps((pictures, truths), protocol=protocol)
        for pictures in (PICTURES, arrays)
        for truths in TRUTHS
        for protocol in (0, 2, 4, 5)
    ]
    return [{"lfw.bin": data} for data in plain] + [{"packed": data} for data in plain[:4]]


def assemble(parts: Files) -> Files:
    return {"lfw.bin": parts["lfw.bin"] if "lfw.bin" in parts else gzip.compress(parts["packed"], zlib.Z_BEST_SPEED)}


def read(folder: Path) -> object:
    return read_bin(folder / "lfw.bin")


OPCODES = tuple(
    bytes([code])
    for code in b"()}]0123NPQRSTUVXabcdeghijlopqrstu\x80\x81\x82\x85\x86\x87\x88\x8e\x8f\x90\x91\x93\x94\x95\x96"
)
READER = Reader(
    goldens,
    read,
    assemble,
    (*OPCODES, *GLOBALS, b"N\x85", b"(t", b"h\x00h\x00\x86", b"}(K\x01Nu", b"\x95" + b"\xff" * 8),
)
