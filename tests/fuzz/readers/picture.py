"""Pictures of the formats that are taken."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from facedistill.pictures import read_picture
from tests.fuzz.reader import Files, Reader

FORMATS = ("png", "jpeg", "gif", "bmp", "tiff", "webp", "ppm")


def goldens() -> list[Files]:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    made = []
    for kind in FORMATS:
        for mode in ("RGB", "L", "P"):
            file = io.BytesIO()
            image = Image.fromarray(pixels).convert(mode)
            (image if mode != "P" or kind in ("png", "gif", "bmp", "tiff") else image.convert("RGB")).save(file, kind)
            made.append({"picture": file.getvalue()})
    file = io.BytesIO()
    Image.fromarray(pixels).save(
        file, "jpeg", progressive=True, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    )
    return [*made, {"picture": file.getvalue()}]


def read(folder: Path) -> object:
    return read_picture(folder / "picture")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


HEADER = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0))
TEXT = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 20)))
PNG = (HEADER, TEXT, chunk(b"IEND", b""), chunk(b"tRNS", b"\0"))
JPEG = (b"\xff\xd8", b"\xff\xd9", b"\xff\xda\0\x08\x01\x01\0\0\x3f\0", b"\xff\xc2\0\x11\x08", b"\xff\xe1\xff\xff")
READER = Reader(
    goldens,
    read,
    tokens=(*PNG, *JPEG, b"GIF89a", b",\0\0\0\0\xff\xff\xff\xff\0\x02", b"#\n", b"P3\n9999 9999\n255\n", b"1 "),
)
