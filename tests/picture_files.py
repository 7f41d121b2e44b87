"""Picture files in memory: by Pillow, and by hand with headers that announce too much."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def smooth_picture(height=24, width=40):
    """Colours that change slowly, so that lossy formats keep them: uint8 [height, width, 3]."""
    y, x = np.mgrid[:height, :width]
    channels = (255 * x / (width - 1), 255 * y / (height - 1), 128 + 100 * np.sin(x / 9))
    return np.stack(channels, axis=2).astype(np.uint8)


def png(width, height, rows=b"", bits=8, colour=0):
    """A PNG by hand: its header may announce what its rows do not hold."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def png_header(width, height):
    """A PNG in colour that announces a size and holds next to nothing."""
    return png(width, height, bytes(100_000), colour=2)


def bmp_header(width, height):
    file_header = b"BM" + struct.pack("<IHHI", 54 + 300, 0, 0, 54)
    return file_header + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(300)


def gif_header(width, height):
    frame = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x4c\x01\x00;"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + frame


def ppm_header(width, height):
    return f"P6 {width} {height} 255\n".encode() + bytes(300)


PICTURE = smooth_picture()
JPEG = saved(Image.fromarray(PICTURE), "JPEG", quality=95)
PNG = saved(Image.fromarray(PICTURE), "PNG")
