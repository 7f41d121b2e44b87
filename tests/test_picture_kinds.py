"""Kinds, depths and inks that pictures come in, each against the grey or colour that was put in."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from facedistill.pictures import decode_picture

RED = (250, 10, 10)


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, kind, **options)
    return file.getvalue()


def png(width, height, rows=b"", bits=8, colour=0):
    """A PNG by hand: its header may promise what its rows do not hold."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param(Image.new("L", (9, 5), 77), (77, 77, 77), id="grey"),
        pytest.param(Image.new("1", (9, 5), 1), (255, 255, 255), id="black and white"),
        pytest.param(Image.new("RGB", (9, 5), RED).quantize(4), RED, id="palette"),
        pytest.param(Image.new("RGBA", (9, 5), (250, 10, 10, 255)), RED, id="opaque alpha"),
        pytest.param(Image.new("RGBA", (9, 5), (250, 10, 10, 0)), (255, 255, 255), id="transparent: over white"),
        pytest.param(Image.new("LA", (9, 5), (100, 255)), (100, 100, 100), id="grey with alpha"),
        pytest.param(Image.fromarray(np.full((5, 9), 0x8080, np.uint16)), (128, 128, 128), id="16 bits: scaled"),
        pytest.param(Image.fromarray(np.full((5, 9), 0xFFFF, np.uint16)), (255, 255, 255), id="16 bits: white"),
        pytest.param(Image.fromarray(np.full((5, 9), 300, np.uint16)), (1, 1, 1), id="16 bits: dark, not clipped"),
    ],
)
def test_png_modes(image, expected):
    picture = decode_picture(encoded(image), "x")
    assert picture.shape == (5, 9, 3)
    assert (picture == expected).all()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"P5 3 2 255\n" + bytes([9] * 6), 9, id="PGM"),
        pytest.param(b"P5 3 2 65535\n" + b"\x80\x80" * 6, 128, id="PGM with 16 bits"),
        pytest.param(b"P5 3 2 1023\n" + b"\x03\xff" * 6, 255, id="PGM with 10 bits"),
        pytest.param(b"P2 3 2 255\n" + b"7 " * 6, 7, id="PGM in plain text"),
        pytest.param(encoded(Image.new("CMYK", (3, 2), (0, 0, 0, 55)), "TIFF"), 200, id="CMYK TIFF"),
        pytest.param(encoded(Image.new("CMYK", (3, 2), (0, 0, 0, 55)), "JPEG"), 200, id="CMYK JPEG"),
        pytest.param(encoded(Image.fromarray(np.full((2, 3), 0x8080, np.uint16)), "TIFF"), 128, id="TIFF with 16 bits"),
        pytest.param(png(3, 2, (b"\0" + b"\x80\x80" * 9) * 2, bits=16, colour=2), 128, id="RGB PNG with 16 bits"),
    ],
)
def test_depths_and_inks(data, expected):
    picture = decode_picture(data, "x")
    assert picture.shape == (2, 3, 3)
    assert np.abs(picture.astype(int) - expected).max() <= 2
