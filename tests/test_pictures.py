"""Pictures from hostile, odd and sound files: upright RGB of the right values, or one clear line."""

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
from PIL import Image, ImageFile

from facedistill.errors import FacedistillError, UsageError
from facedistill.pictures import (
    MAX_BYTES,
    MAX_SIDE,
    UnreadablePicture,
    decode_picture,
    encode_picture,
    read_picture,
)


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def smooth_picture(height=24, width=40):
    """Colours that change slowly, so that lossy formats keep them: uint8 [height, width, 3]."""
    y, x = np.mgrid[:height, :width]
    channels = (255 * x / (width - 1), 255 * y / (height - 1), 128 + 100 * np.sin(x / 9))
    return np.stack(channels, axis=2).astype(np.uint8)


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width, height):
    """A PNG that promises a size and holds next to nothing."""
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", size) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


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


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"\x00", "no picture", id="one byte"),
        pytest.param(b"Dear diary,\ntoday no picture was taken.\n", "no picture", id="text renamed to .jpg"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture", id="SVG"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture", id="EPS would run a program"),
        pytest.param(b"%PDF-1.7\n%%EOF", "no picture", id="another kind of file"),
        pytest.param(saved(Image.fromarray(PICTURE), "ICO"), "no picture", id="a kind that is not admitted"),
        pytest.param(b"P5 0 0 255\n", "no picture|damaged", id="no pixels"),
        pytest.param(png_header(50, 9_000), "damaged", id="a PNG of fewer rows than it promises"),
        pytest.param(JPEG[: len(JPEG) // 2], "damaged", id="half a JPEG"),
        pytest.param(PNG[: len(PNG) // 2], "damaged", id="half a PNG"),
        pytest.param(JPEG[:20], "no picture|damaged", id="the head of a JPEG"),
        pytest.param(PNG[:30], "no picture|damaged", id="the head of a PNG"),
        pytest.param(PNG[:60] + bytes(8) + PNG[68:], "no picture|damaged", id="a PNG with a hole"),
        pytest.param(saved(Image.fromarray(PICTURE), "WEBP")[:120], "no picture|damaged", id="a part of a WebP"),
        pytest.param(
            saved(Image.fromarray(np.full((8, 8), 1e6, np.float32)), "TIFF"), "unknown range", id="32-bit floats"
        ),
    ],
)
def test_what_is_no_sound_picture_is_refused_in_one_line(tmp_path, content, reason):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(UnreadablePicture, match=reason) as caught:
        read_picture(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_a_folder_and_a_pipe_are_refused(tmp_path):
    with pytest.raises(UnreadablePicture, match="does not exist"):
        read_picture(tmp_path / "gone.jpg")
    with pytest.raises(UnreadablePicture, match="folder or a special file"):
        read_picture(tmp_path)
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(UnreadablePicture, match="folder or a special file"):
        read_picture(tmp_path / "pipe.jpg")


def test_a_file_beyond_the_limit_is_not_read(tmp_path):
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # sparse: takes no room
    with pytest.raises(UnreadablePicture, match="the limit is 256 MiB"):
        read_picture(path)


HUGE = [
    pytest.param(png_header(30_000, 30_000), id="PNG of 30,000 x 30,000"),
    pytest.param(bmp_header(30_000, 30_000), id="BMP of 30,000 x 30,000"),
    pytest.param(gif_header(30_000, 30_000), id="GIF of 30,000 x 30,000"),
    pytest.param(ppm_header(30_000, 30_000), id="PPM of 30,000 x 30,000"),
    pytest.param(png_header(10_000, 8_001), id="just above the limit"),
    pytest.param(png_header(MAX_SIDE + 1, 1), id="few pixels, but a side too long for OpenCV"),
    pytest.param(png_header(1, MAX_SIDE + 1), id="the other side too long"),
    pytest.param(png_header(2**31 - 1, 2**31 - 1), id="a product beyond 32 bits"),
]


@pytest.mark.parametrize("content", HUGE)
def test_a_huge_picture_is_refused_before_a_pixel_is_decoded(monkeypatch, content):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("pixels were decoded"))
    with pytest.raises(UnreadablePicture, match="the limit is 80 megapixels"):
        decode_picture(content, "huge")


def test_refusing_huge_pictures_takes_no_memory(tmp_path):
    for number, case in enumerate(HUGE):
        (tmp_path / f"{number}").write_bytes(case.values[0])
    script = """
import resource, sys
from pathlib import Path
from facedistill.pictures import UnreadablePicture, read_picture
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
refused, before = 0, peak()
for path in Path(sys.argv[1]).iterdir():
    try:
        read_picture(path)
    except UnreadablePicture:
        refused += 1
print(refused, peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True)
    refused, kibibytes = map(int, done.stdout.split())
    assert refused == len(HUGE)
    assert kibibytes < 50_000


def test_the_largest_side_is_still_read():
    picture = np.zeros((1, MAX_SIDE, 3), np.uint8)
    assert decode_picture(saved(Image.fromarray(picture), "PNG"), "wide").shape == (1, MAX_SIDE, 3)


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        pytest.param("PNG", {}, 0, id="PNG"),
        pytest.param("BMP", {}, 0, id="BMP"),
        pytest.param("TIFF", {}, 0, id="TIFF"),
        pytest.param("TIFF", {"compression": "tiff_lzw"}, 0, id="compressed TIFF"),
        pytest.param("PPM", {}, 0, id="PPM"),
        pytest.param("WEBP", {"lossless": True}, 0, id="lossless WebP"),
        pytest.param("JPEG", {"quality": 95, "subsampling": 0}, 6, id="JPEG"),
        pytest.param("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}, 6, id="progressive JPEG"),
    ],
)
def test_every_format_gives_the_picture_in_rgb_whatever_its_name(tmp_path, kind, options, tolerance):
    path = tmp_path / "photo.dat"
    path.write_bytes(saved(Image.fromarray(PICTURE), kind, **options))
    read = read_picture(path)
    assert read.dtype == np.uint8
    assert read.flags.c_contiguous
    assert np.abs(read.astype(int) - PICTURE).max() <= tolerance


def test_sixteen_bit_grey_is_scaled_not_clipped():
    deep = np.linspace(0, 65535, 24 * 40).reshape(24, 40).astype(np.uint16)
    expected = np.rint(deep / 257).astype(np.uint8)[:, :, None].repeat(3, axis=2)
    pgm = b"P5 40 24 65535\n" + deep.astype(">u2").tobytes()
    for content in (saved(Image.fromarray(deep), "PNG"), saved(Image.fromarray(deep), "TIFF"), pgm):
        np.testing.assert_array_equal(decode_picture(content, "deep"), expected)


def test_a_deep_maximum_of_its_own_becomes_white():
    pgm = b"P5 2 1 1000\n" + np.array([0, 1000], ">u2").tobytes()
    np.testing.assert_array_equal(decode_picture(pgm, "pgm")[0, :, 0], [0, 255])


def test_cmyk_jpeg_has_the_colours_of_its_inks():
    inks = np.zeros((16, 32, 4), np.uint8)
    inks[:, :16, 0], inks[:, 16:, 3] = 255, 255  # cyan beside black
    read = decode_picture(saved(Image.fromarray(inks, "CMYK"), "JPEG", quality=100), "cmyk")
    assert np.abs(read[:, :12].astype(int) - [0, 255, 255]).max() <= 4
    assert read[:, 20:].max() <= 4


def test_nothing_is_printed_even_when_warnings_are_errors(tmp_path):
    """Pillow warns about large and damaged files, and libtiff writes to stderr on its own."""
    picture = Image.fromarray(smooth_picture(200, 200))
    (tmp_path / "large.png").write_bytes(png_header(30_000, 30_000))
    (tmp_path / "half.tif").write_bytes(saved(picture, "TIFF", compression="tiff_lzw")[:3000])
    (tmp_path / "palette.png").write_bytes(saved(picture.quantize(4), "PNG", transparency=b"\x80\x80"))
    (tmp_path / "exif.jpg").write_bytes(saved(picture, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0garbage"))
    script = """
import sys
from pathlib import Path
from facedistill.pictures import UnreadablePicture, read_picture
for path in Path(sys.argv[1]).iterdir():
    try:
        read_picture(path)
    except UnreadablePicture:
        pass
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", script, tmp_path], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_grey_and_black_and_white_become_rgb():
    grey = np.arange(96, dtype=np.uint8).reshape(8, 12)
    np.testing.assert_array_equal(decode_picture(saved(Image.fromarray(grey), "PNG"), "grey"), np.stack([grey] * 3, 2))
    bits = Image.fromarray(grey > 40)
    np.testing.assert_array_equal(decode_picture(saved(bits, "PNG"), "1 bit")[..., 1], (grey > 40) * np.uint8(255))


def test_a_palette_gives_its_colours():
    palette = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    np.testing.assert_array_equal(decode_picture(saved(palette, "PNG"), "palette")[0], np.eye(3) * 255)
    holed = decode_picture(saved(palette, "PNG", transparency=1), "palette with a transparent colour")
    np.testing.assert_array_equal(holed[0], [[255, 0, 0], [255, 255, 255], [0, 0, 255]])


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_transparency_is_laid_over_white(kind):
    image = np.zeros((1, 3, 4), np.uint8)
    image[0, :, 0], image[0, :, 3] = 200, [0, 128, 255]
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    read = decode_picture(saved(Image.fromarray(image), kind, **options), "rgba")
    opacity = image[..., 3:] / 255
    expected = image[..., :3] * opacity + 255 * (1 - opacity)
    assert np.abs(read - expected).max() <= 1


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_the_first_is_taken(kind):
    frames = [Image.new("RGB", (9, 7), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    np.testing.assert_array_equal(decode_picture(content, kind), np.array(frames[0]))


def shown(stored, orientation):
    """How a stored picture is to be seen. EXIF 2.3, tag 0x0112: the sides on which its 0th row and column lie."""
    sides = "top left, top right, bottom right, bottom left, left top, right top, right bottom, left bottom"
    row_side, column_side = sides.split(", ")[orientation - 1].split()
    height, width = stored.shape[:2]
    turned = row_side in ("left", "right")
    seen = np.empty((width, height, 3) if turned else stored.shape, np.uint8)
    for row, column in np.ndindex(height, width):
        from_row = row if row_side in ("top", "left") else height - 1 - row
        from_column = column if column_side in ("top", "left") else width - 1 - column
        seen[(from_column, from_row) if turned else (from_row, from_column)] = stored[row, column]
    return seen


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95, "subsampling": 0}}.get(kind, {})
    read = decode_picture(saved(Image.fromarray(PICTURE), kind, exif=exif, **options), "turned")
    expected = shown(PICTURE, orientation)
    assert read.shape == expected.shape
    assert read.flags.c_contiguous
    assert np.abs(read.astype(int) - expected).max() <= (6 if kind == "JPEG" else 0)


@pytest.mark.parametrize(
    "exif",
    [
        pytest.param(b"Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\xff\xff", id="cut off"),
        pytest.param(b"Exif\x00\x00" + b"\xff" * 40, id="garbage"),
        pytest.param(
            b"Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x63\x00\x00"
            + bytes(4),
            id="orientation 99",
        ),
        pytest.param(
            b"Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x02\x00\x00\x00\x03ab\x00\x00" + bytes(4),
            id="orientation is text",
        ),
    ],
)
def test_exif_that_makes_no_sense_is_as_good_as_none(exif):
    read = decode_picture(saved(Image.fromarray(PICTURE), "JPEG", quality=95, exif=exif), "odd EXIF")
    np.testing.assert_array_equal(read, decode_picture(JPEG, "no EXIF"))


@settings(max_examples=60, deadline=None)
@given(content=st.sampled_from([JPEG, PNG]), data=st.data())
def test_a_prefix_of_a_picture_is_refused_unless_nothing_is_lost(content, data):
    cut = content[: data.draw(st.integers(0, len(content) - 1))]
    try:
        read = decode_picture(cut, "cut")
    except UnreadablePicture:
        return
    np.testing.assert_array_equal(read, decode_picture(content, "whole"))


@settings(max_examples=100, deadline=None)
@given(
    content=st.sampled_from([JPEG, PNG, gif_header(8, 8), bmp_header(8, 8), saved(Image.new("L", (9, 9)), "TIFF")]),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_no_flipped_byte_gives_anything_but_a_picture_or_one_line(content, changes):
    hostile = bytearray(content)
    for place, value in changes:
        hostile[place % len(hostile)] = value
    try:
        read, message = decode_picture(bytes(hostile), "hostile"), ""
    except UnreadablePicture as error:
        read, message = np.zeros((1, 1, 3), np.uint8), str(error)
    assert "\n" not in message
    assert (read.dtype, read.ndim, read.shape[2]) == (np.uint8, 3, 3)


@pytest.mark.parametrize(("extension", "tolerance"), [(".png", 0), (".jpg", 24), (".webp", 24)])
def test_what_is_encoded_is_decoded_again_in_the_order_rgb(extension, tolerance):
    encoded = encode_picture(PICTURE, extension)
    by_pillow = np.array(Image.open(io.BytesIO(encoded)).convert("RGB"))
    for read in (decode_picture(encoded, "again"), by_pillow):
        assert read.shape == PICTURE.shape
        assert np.abs(read.astype(int) - PICTURE).max() <= tolerance


def test_a_lower_quality_takes_fewer_bytes():
    noisy = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for extension in (".jpg", ".webp"):
        assert len(encode_picture(noisy, extension, 30)) < len(encode_picture(noisy, extension, 95))


@pytest.mark.parametrize(
    ("image", "options", "match"),
    [
        pytest.param(PICTURE.astype(float), {}, "float64", id="floats"),
        pytest.param(PICTURE[..., 0], {}, r"\[24, 40\]", id="no channels"),
        pytest.param(np.zeros((4, 4, 4), np.uint8), {}, r"\[4, 4, 4\]", id="four channels"),
        pytest.param(np.zeros((0, 4, 3), np.uint8), {}, r"\[0, 4, 3\]", id="no rows"),
        pytest.param(PICTURE, {"extension": ".gif"}, "known: .jpg, .png, .webp", id="another extension"),
        pytest.param(PICTURE, {"quality": 0}, "1..100", id="quality 0"),
        pytest.param(PICTURE, {"quality": 101}, "1..100", id="quality 101"),
    ],
)
def test_encoding_refuses_what_makes_no_sense(image, options, match):
    with pytest.raises(UsageError, match=match):
        encode_picture(image, **options)


def test_a_picture_too_long_for_the_format_is_one_line():
    with pytest.raises(FacedistillError, match=r"17000x1 as \.webp"):
        encode_picture(np.zeros((1, 17_000, 3), np.uint8), ".webp")
