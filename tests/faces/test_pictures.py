"""Pictures from files nobody vouches for."""

import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from facedistill import pictures
from facedistill.errors import UsageError
from facedistill.pictures import UnreadablePicture, decode_picture, encode_picture, read_picture

# pytest puts its own filters before that of the module; `test_nothing_is_printed` looks at the module's.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")

RED, GREEN, BLUE = (250, 10, 10), (10, 250, 10), (10, 10, 250)


def corners(height=40, width=60):
    """Red upper left, green upper right, blue lower left, black lower right: uint8 [H, W, 3]."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = RED
    image[: height // 2, width // 2 :] = GREEN
    image[height // 2 :, : width // 2] = BLUE
    return image


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


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "WEBP", "GIF", "JPEG"])
def test_kinds(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    image = decode_picture(encoded(corners(), kind, **options), "x")
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    tolerance = 20 if kind == "JPEG" else 0
    inner = np.s_[4:-4:12, 4:-4:12]  # JPEG rings at edges
    assert np.abs(image[inner].astype(int) - corners()[inner]).max() <= tolerance


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


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame(kind):
    frames = [Image.new("RGB", (8, 6), colour) for colour in (RED, GREEN)]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert (decode_picture(data, "x") == RED).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(kind, orientation):
    upright = corners()
    stored = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation](upright)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    picture = decode_picture(encoded(np.ascontiguousarray(stored), kind, exif=exif, **options), "x")
    assert picture.shape == upright.shape
    assert np.abs(picture[4::12, 4::12].astype(int) - upright[4::12, 4::12]).max() <= 12


def test_broken_exif_around_sound_pixels():
    data = encoded(corners(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xffgarbage")
    assert decode_picture(data, "x").shape == (40, 60, 3)


JPEG = encoded(corners(200, 200), "JPEG")
PNG = encoded(np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8))
TOO_MANY = png(30_000, 30_000)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"hello, I am a text", "no picture", id="text"),
        pytest.param(b"%PDF-1.7\n%%EOF", "no picture", id="another kind of file"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture", id="SVG"),
        pytest.param(
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture", id="EPS would start a program"
        ),
        pytest.param(encoded(corners(), "ICO"), "no picture", id="a kind that is not admitted"),
        pytest.param(JPEG[:100], "copy it again|no picture", id="JPEG cut off in its header"),
        pytest.param(JPEG[: len(JPEG) // 2], "damaged", id="JPEG cut off"),
        pytest.param(PNG[: len(PNG) // 2], "damaged", id="PNG cut off"),
        pytest.param(png(50, 50, b""), "damaged", id="PNG without rows"),
        pytest.param(TOO_MANY, "limit is 80 megapixels", id="30,000 x 30,000"),
        pytest.param(png(10_000, 9_000), "10000x9000 pixels, the limit", id="more than the bound, less than Pillow's"),
        pytest.param(png(40_000, 10), "32767 a side", id="too long for OpenCV"),
        pytest.param(b"P5 30000 30000 255\n", "limit is 80 megapixels", id="PGM that promises much"),
        pytest.param(b"P5 0 0 255\n", "x.png is", id="PGM without size"),
        pytest.param(
            encoded(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"), "32-bit pixels", id="TIFF of floats"
        ),
    ],
)
def test_unreadable_pictures_are_one_line(data, named):
    with pytest.raises(UnreadablePicture, match=named) as caught:
        decode_picture(data, "x.png")
    message = str(caught.value)
    assert message.startswith("x.png ")
    assert "\n" not in message
    assert ";" in message  # how to mend it
    assert caught.value.exit_code == 1


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_mangled_bytes_are_a_picture_or_one_line(data):
    whole = bytearray(
        data.draw(st.sampled_from([JPEG[:3000], PNG, encoded(corners(), "GIF"), encoded(corners(), "TIFF")]))
    )
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        picture = decode_picture(bytes(whole), "x")
    except UnreadablePicture as error:
        outcome = str(error)
    else:
        outcome = f"{picture.dtype} {picture.ndim}"
    assert outcome == "uint8 3" or (outcome.startswith("x ") and "\n" not in outcome)


def test_size_is_checked_before_pixels_are_decoded(monkeypatch):
    def decode(self):
        raise AssertionError("pixels were decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)
    with pytest.raises(UnreadablePicture, match="megapixels"):
        decode_picture(png(10_000, 9_000), "x")


def test_nothing_is_printed(tmp_path):
    """Pillow warns about large and damaged files; libtiff writes to stderr. Even `-W error` must change nothing."""
    (tmp_path / "large.png").write_bytes(TOO_MANY)
    (tmp_path / "half.tif").write_bytes(encoded(corners(200, 200), "TIFF", compression="tiff_lzw")[:3000])
    (tmp_path / "bytes.png").write_bytes(encoded(Image.new("RGB", (9, 9), RED).quantize(4), transparency=b"\x80\x80"))
    (tmp_path / "exif.jpg").write_bytes(encoded(corners(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0garbage"))
    code = (
        "import sys; from pathlib import Path\n"
        "from facedistill.pictures import read_picture, UnreadablePicture\n"
        "for path in Path(sys.argv[1]).iterdir():\n"
        "    try: read_picture(path)\n"
        "    except UnreadablePicture: pass\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_renamed_file_is_read_by_its_content(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(corners(), "PNG"))
    assert (read_picture(path) == corners()).all()


def test_missing_file(tmp_path):
    with pytest.raises(UnreadablePicture, match=r"nowhere\.jpg does not exist; "):
        read_picture(tmp_path / "nowhere.jpg")


def test_folder(tmp_path):
    with pytest.raises(UnreadablePicture, match="is a folder or a special file"):
        read_picture(tmp_path)


def test_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(UnreadablePicture, match="is a folder or a special file"):
        read_picture(tmp_path / "pipe.jpg")


def test_large_file_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_BYTES", 1 << 20)
    with (tmp_path / "large.jpg").open("wb") as file:
        file.truncate(2 << 20)
    with pytest.raises(UnreadablePicture, match=r"has 2 MiB, the limit is 1 MiB"):
        read_picture(tmp_path / "large.jpg")


@pytest.mark.parametrize(
    ("extension", "within"), [pytest.param(".png", 0), pytest.param(".jpg", 12), pytest.param(".webp", 20)]
)
def test_encode_and_back(extension, within):
    image = decode_picture(encode_picture(corners(), extension), "x")
    assert np.abs(image[4::12, 4::12].astype(int) - corners()[4::12, 4::12]).max() <= within


def test_quality_costs_bytes():
    image = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    assert len(encode_picture(image, quality=30)) < len(encode_picture(image, quality=95))


@pytest.mark.parametrize(
    ("image", "options", "named"),
    [
        pytest.param(np.zeros((5, 5), np.uint8), {}, r"\[5, 5\]", id="grey"),
        pytest.param(np.zeros((5, 5, 3)), {}, "float64", id="floats"),
        pytest.param(np.zeros((0, 5, 3), np.uint8), {}, r"\[0, 5, 3\]", id="empty"),
        pytest.param(np.zeros((5, 5, 3), np.uint8), {"extension": ".exe"}, r"\.exe", id="unknown kind"),
        pytest.param(np.zeros((5, 5, 3), np.uint8), {"quality": 0}, "1..100", id="quality"),
    ],
)
def test_encode_refuses_wrong_calls(image, options, named):
    with pytest.raises(UsageError, match=named):
        encode_picture(image, **options)
