"""Picture files under 1 MB that announce, repeat or compress more than they hold."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from tests.picture_files import saved


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, colour, bits, extra=b""):
    """A whole PNG of zeros."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = bytes(1 + (width * samples * bits + 7) // 8)
    packer = zlib.compressobj(9)
    rows = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def directory(fields=60_000, size=200_000):
    """A TIFF directory of fields that all show the same bytes: 12 GB when they are read."""
    entries = b"".join(struct.pack("<HHII", 1000 + number, 7, size, 8) for number in range(fields))
    return b"II*\0" + struct.pack("<I", 8 + size) + bytes(size) + struct.pack("<H", fields) + entries + bytes(4)


def jpeg_with(segments):
    plain = saved(Image.new("RGB", (64, 64)), "JPEG")
    return plain[:2] + segments + plain[2:]


def exif_segment(data):
    return b"\xff\xe1" + struct.pack(">H", len(data) + 8) + b"Exif\0\0" + data


def jpeg_of_scans(side, scans):
    whole = saved(Image.new("RGB", (side, side), (90, 100, 120)), "JPEG", progressive=True)
    last = whole[whole.rfind(b"\xff\xda") : -2]
    return whole[:-2] + last * scans + whole[-2:]


def jpeg_announcing(side):
    content = bytearray(saved(Image.new("RGB", (16, 16)), "JPEG"))
    place = content.find(b"\xff\xc0") + 5
    content[place : place + 4] = struct.pack(">HH", side, side)
    return bytes(content)


def gif(side, comment=b""):
    """A canvas with a frame of one pixel."""
    head = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff" + comment
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02L\x01\0;"
    return head + b"!\xf9\x04\x01\0\0\0\0" + frame


def tiff_of_one_tile(side):
    """A picture of 64x64 pixels whose tile announces far more."""
    content = bytearray(saved(Image.new("RGB", (64, 64)), "TIFF", compression="tiff_adobe_deflate"))
    for tag, other in ((278, 322), (273, 324), (279, 325), (277, 323)):
        place = content.find(struct.pack("<H", tag), 8)
        content[place : place + 2] = struct.pack("<H", other)
        if other in (322, 323):
            content[place + 2 : place + 12] = struct.pack("<HII", 4, 1, side)
    return bytes(content)


def bmp_of_skips(side=7000):
    """Run lengths that skip 255 rows at a time."""
    body, start = b"\0\x02\xff\xff" * 200_000, 54 + 1024
    header = b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start)
    return header + struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(body), 0, 0, 256, 0) + bytes(1024) + body


PALETTE = chunk(b"PLTE", b"\0\0\0\xff\xff\xff") + chunk(b"tRNS", b"\0")
TEXT = zlib.compress(bytes(100 << 20), 9)
WHITE = Image.new("RGB", (64, 64))


def bombs():
    """Name -> content, and whether it is read or the reason why not."""
    noise = np.tile(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8), (16, 16, 1))
    return {
        "GIF, 43 bytes, a large canvas": (gif(8900), "too large"),
        "GIF, a comment of blocks of one byte": (gif(8, b"!\xfe" + b"\x01x" * 450_000 + b"\0"), "read"),
        "JPEG that announces 79 megapixels": (jpeg_announcing(8900), "too large"),
        "JPEG of 300 scans": (jpeg_of_scans(1000, 300), "no usual JPEG"),
        "JPEG of the most scans": (jpeg_of_scans(3000, 22), "read"),
        "JPEG, noise in many scans": (saved(Image.fromarray(noise), "JPEG", progressive=True, quality=5), "read"),
        "JPEG, EXIF that repeats": (
            jpeg_with(b"".join(exif_segment(directory()[at : at + 65_000]) for at in range(0, 910_000, 65_000))),
            "read",
        ),
        "JPEG, 50,000 pieces of EXIF": (jpeg_with(exif_segment(b"x" * 10) * 50_000), "read"),
        "PNG, grey of 80 megapixels": (png(8940, 8940, 0, 1), "too large"),
        "PNG, palette with holes": (png(8940, 8940, 3, 1, PALETTE), "too large"),
        "PNG of 16 bits": (png(8940, 8940, 0, 16), "too large"),
        "PNG, as much grey with alpha as is read": (png(5600, 5600, 4, 8), "read"),
        "PNG, text": (png(10, 10, 2, 8, chunk(b"zTXt", b"a\0\0" + TEXT)), "read"),
        "PNG, colour profile": (png(10, 10, 2, 8, chunk(b"iCCP", b"a\0\0" + TEXT)), "read"),
        "PNG, EXIF that repeats": (png(10, 10, 2, 8, chunk(b"eXIf", directory())), "read"),
        "WebP, EXIF that repeats": (saved(WHITE, "WEBP", exif=b"Exif\0\0" + directory()), "read"),
        "WebP, lossless": (saved(Image.new("RGB", (6000, 5000)), "WEBP", lossless=True), "too large"),
        "WebP, as much as is read": (saved(Image.new("RGB", (3600, 3600)), "WEBP", lossless=True), "read"),
        "TIFF, fields that repeat": (directory(), "no usual TIFF"),
        "TIFF, fewer fields that repeat": (directory(500, 900_000), "damaged"),
        "TIFF, a large tile": (tiff_of_one_tile(32_000), "no usual TIFF"),
        "TIFF, fax of 55 megapixels": (saved(Image.new("1", (7400, 7400)), "TIFF", compression="group4"), "too large"),
        "BMP of skips": (bmp_of_skips(), "read"),
        "PBM of comments": (b"P1\n800 800\n" + b"#\n" * 480_000 + b"1" * 100, "damaged"),
        "PGM, comments before the size": (b"P5\n" + b"#a\n" * 320_000 + b"10 10\n255\n" + bytes(100), "read"),
        "PGM in plain text": (b"P2\n700 700\n255\n" + b"1 " * 490_000, "read"),
        "PGM of an odd maximum": (b"P5\n1000 990\n200\n" + b"1" * 990_000, "read"),
    }


def peak_mib():
    """The most memory this process has had since `forget_peak`."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) >> 10 for line in status.splitlines() if line.startswith("VmHWM"))


def forget_peak():
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def main():
    """Prints for each: name, seconds of this process, MiB above what it had, what came of it."""
    import time

    from facedistill.pictures import UnreadablePicture, decode_picture

    decode_picture(saved(WHITE, "JPEG"), "first")
    for name, (content, _) in bombs().items():
        assert len(content) < 1 << 20, name
        forget_peak()
        before, start = peak_mib(), time.process_time()
        try:
            decode_picture(content, "bomb")
            outcome = "read"
        except UnreadablePicture as error:
            outcome = error.kind
        print(name, round(time.process_time() - start, 2), peak_mib() - before, outcome, sep="|")


if __name__ == "__main__":
    main()
