"""Kinds, depths, inks and orientations of pictures, each against the grey or colour that was put in."""

import numpy as np
import pytest
from PIL import Image

from facedistill.pictures import (
    decode_picture,
    read_picture,
)
from tests.picture_files import JPEG, PICTURE, png, saved

RED = (250, 10, 10)


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
    picture = decode_picture(saved(image, "PNG"), "x")
    assert picture.shape == (5, 9, 3)
    assert (picture == expected).all()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"P5 3 2 255\n" + bytes([9] * 6), 9, id="PGM"),
        pytest.param(b"P5 3 2 65535\n" + b"\x80\x80" * 6, 128, id="PGM with 16 bits"),
        pytest.param(b"P5 3 2 1023\n" + b"\x03\xff" * 6, 255, id="PGM with 10 bits"),
        pytest.param(b"P2 3 2 255\n" + b"7 " * 6, 7, id="PGM in plain text"),
        pytest.param(saved(Image.new("CMYK", (3, 2), (0, 0, 0, 55)), "TIFF"), 200, id="CMYK TIFF"),
        pytest.param(saved(Image.new("CMYK", (3, 2), (0, 0, 0, 55)), "JPEG"), 200, id="CMYK JPEG"),
        pytest.param(saved(Image.fromarray(np.full((2, 3), 0x8080, np.uint16)), "TIFF"), 128, id="TIFF with 16 bits"),
        pytest.param(png(3, 2, (b"\0" + b"\x80\x80" * 9) * 2, bits=16, colour=2), 128, id="RGB PNG with 16 bits"),
    ],
)
def test_depths_and_inks(data, expected):
    picture = decode_picture(data, "x")
    assert picture.shape == (2, 3, 3)
    assert np.abs(picture.astype(int) - expected).max() <= 2


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
