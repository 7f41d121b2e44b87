"""Small files that would take much: memory and time stay bounded, or they are refused before a pixel is decoded."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facedistill.errors import UsageError
from facedistill.pictures import UnreadablePicture, decode_picture
from tests.picture_bombs import bombs
from tests.picture_files import JPEG, PICTURE, PNG, saved

OPTION = "FACEDISTILL_MAX_MEGAPIXELS"


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of memory is read from Linux")
def test_small_files_take_at_most_300_mb_and_two_seconds():
    call = [sys.executable, "-m", "tests.picture_bombs"]
    done = subprocess.run(call, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    measured = [line.split("|") for line in done.stdout.splitlines()]
    assert {name: outcome for name, _, _, outcome in measured} == {name: end for name, (_, end) in bombs().items()}
    assert [line for line in measured if float(line[1]) > 2 or int(line[2]) > 300e6 / 2**20] == []


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"])
def test_metadata_changes_no_pixel(kind):
    """All that stands beside the pixels is left out before decoding, and nothing else."""
    image = Image.fromarray(PICTURE)
    exif = Image.Exif()
    exif[0x010F] = "a maker" * 50
    options = {"exif": exif, "icc_profile": bytes(3000)} if kind in ("JPEG", "PNG", "TIFF", "WEBP") else {}
    with Image.open(io.BytesIO(saved(image, kind, **options))) as opened:
        expected = np.array(opened.convert("RGB"))
    np.testing.assert_array_equal(decode_picture(saved(image, kind, **options), "x"), expected)


def test_what_follows_a_picture_is_not_read():
    for content in (JPEG, PNG):
        np.testing.assert_array_equal(decode_picture(content + b"\xff\xd8\xff" * 9, "x"), decode_picture(content, "x"))


LARGE = saved(Image.new("L", (9000, 9000)), "PNG")  # 81 megapixels in few bytes


def test_the_limit_can_be_raised(monkeypatch):
    with pytest.raises(UnreadablePicture, match=f"the limit is 80 megapixels .*set {OPTION}"):
        decode_picture(LARGE, "large")
    monkeypatch.setenv(OPTION, "81")
    assert decode_picture(LARGE, "large").shape == (9000, 9000, 3)


def test_the_limit_can_be_lowered(monkeypatch):
    monkeypatch.setenv(OPTION, "1")
    with pytest.raises(UnreadablePicture, match="the limit is 1 megapixels"):
        decode_picture(saved(Image.new("L", (1200, 1000)), "PNG"), "photo")


@pytest.mark.parametrize("value", ["0", "-1", "nan", "1e3", "12.5", "9" * 30])
def test_a_limit_that_is_no_number_is_refused(monkeypatch, value):
    monkeypatch.setenv(OPTION, value)
    with pytest.raises(UsageError, match=f"{OPTION} is '{value}'; give a whole number of megapixels"):
        decode_picture(JPEG, "photo")


@pytest.mark.parametrize(
    ("head", "kind", "mend"),
    [
        pytest.param(b"\0\0\0\x18ftypavif", "AVIF", "convert it to JPEG", id="AVIF"),
        pytest.param(b"\0\0\0\x18ftypqt  ", "a film", "save a still", id="a film of a phone"),
        pytest.param(b"\0\0\0\x18ftypcrx ", "camera raw", "export it as JPEG", id="Canon CR3"),
        pytest.param(b"II*\0\x10\0\0\0CR\x02\0", "camera raw", "export it as JPEG", id="Canon CR2"),
        pytest.param(b"\0\x05\x16\x07", "macOS metadata of another file", "delete it", id="._photo.jpg"),
        pytest.param(b"\n<!DOCTYPE html>", "a web page", "download the picture", id="an error of a server"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS", "git lfs pull", id="LFS"),
    ],
)
def test_what_a_file_is_instead_of_a_picture(head, kind, mend):
    with pytest.raises(UnreadablePicture, match=f"^photo.jpg is {kind}; .*{mend}") as caught:
        decode_picture(head + bytes(50), "photo.jpg")
    assert caught.value.kind == kind
    assert caught.value.reason.startswith(f"{kind}: ")


def test_the_preview_in_camera_raw_is_not_taken_for_the_photo():
    """DNG and NEF begin as a TIFF of 160x120 pixels."""
    content = saved(Image.fromarray(PICTURE), "TIFF", tiffinfo={254: 1})
    with pytest.raises(UnreadablePicture, match="is camera raw; export it as JPEG"):
        decode_picture(content, "photo.nef")
