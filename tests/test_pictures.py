"""Pictures from hostile, odd and sound files: upright RGB of the right values, or one clear line; and encoding."""

import io
import os
import subprocess
import sys

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
from tests.picture_files import (
    JPEG,
    PICTURE,
    PNG,
    bmp_header,
    gif_header,
    png_header,
    ppm_header,
    saved,
    smooth_picture,
)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"\x00", "no picture", id="one byte"),
        pytest.param(b"Dear diary,\ntoday no picture was taken.\n", "no picture", id="text renamed to .jpg"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture", id="SVG"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture", id="EPS would run a program"),
        pytest.param(b"%PDF-1.7\n%%EOF", "is PDF; export", id="another kind of file"),
        pytest.param(saved(Image.fromarray(PICTURE), "ICO"), "no picture", id="a kind that is not admitted"),
        pytest.param(b"P5 0 0 255\n", "no picture|damaged", id="no pixels"),
        pytest.param(png_header(50, 9_000), "damaged", id="a PNG of fewer rows than it announces"),
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
        pytest.param(PICTURE, {"quality": 0}, "from 1 to 100", id="quality 0"),
        pytest.param(PICTURE, {"quality": 101}, "from 1 to 100", id="quality 101"),
    ],
)
def test_encoding_refuses_what_makes_no_sense(image, options, match):
    with pytest.raises(UsageError, match=match):
        encode_picture(image, **options)


def test_a_picture_too_long_for_the_format_is_one_line():
    with pytest.raises(FacedistillError, match=r"17000x1 as \.webp"):
        encode_picture(np.zeros((1, 17_000, 3), np.uint8), ".webp")
