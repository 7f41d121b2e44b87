"""Safe decoding of untrusted picture files to upright uint8 RGB, within limits."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from facedistill.errors import FacedistillError

MAX_BYTES = 256 << 20
MAX_PIXELS = 80_000_000  # 240 MB of RGB; a 64-megapixel phone photo passes
MAX_SIDE = 32_767  # OpenCV counts the pixels of a side in 16 bits

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
_FORMATS_TEXT = "JPEG, PNG, WebP, BMP, TIFF, GIF, PPM or PGM"
_ORIENTATION_TAG = 0x0112
_RGBA_MODES = ("RGBA", "RGBa", "LA", "La", "PA")

# Pillow warns about damaged metadata and large sizes; what matters here is checked below and becomes an error. One
# filter for Pillow's own modules is set once, because `warnings.catch_warnings` is not safe between threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


class UnreadablePicture(FacedistillError):  # noqa: N818 - the name describes the file
    """A file is no usable picture; the message gives the reason and what to do."""


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Reads a picture file as `decode_picture` does.

    Raises:
        UnreadablePicture: The file is missing, no regular file, larger than `MAX_BYTES`, or cannot be decoded.
    """
    path = Path(path)
    try:
        if not path.is_file():  # a pipe or device would never end
            reason = "is a folder or a special file" if path.exists() else "does not exist"
            raise UnreadablePicture(f"{path} {reason}; name a picture file")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise UnreadablePicture(
                f"{path} has {size / 2**20:.0f} MiB, the limit is {MAX_BYTES >> 20} MiB; save it smaller"
            )
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnreadablePicture(
            f"cannot read {path}: {error.strerror or error}; check the file and its rights"
        ) from error
    return decode_picture(data, str(path))


def decode_picture(data: bytes, source: str) -> NDArray[np.uint8]:
    """Decodes a picture to RGB, turned upright by its EXIF orientation.

    The format is recognised by the content, not by the name. Of an animation the first frame is taken,
    transparency is laid over white, and 16-bit grey is scaled to 8 bits.
    EXIF data that cannot be read is treated as absent.

    Args:
        data: The file's content: JPEG, PNG, WebP, BMP, TIFF, GIF, PPM or PGM.
        source: The file's name, for the error message.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        UnreadablePicture: Empty, truncated, of another kind, or larger than `MAX_BYTES`, `MAX_PIXELS` or
            `MAX_SIDE` (the size is checked before any pixel is decoded).
    """
    if not data:
        raise UnreadablePicture(f"{source} is empty (0 bytes); copy it again from its origin")
    if len(data) > MAX_BYTES:
        raise UnreadablePicture(f"{source} is larger than the limit of {MAX_BYTES >> 20} MiB; save it smaller")
    with _one_line_errors(source), Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        return _pixels(image, source)


def decode_image(image: Image.Image, source: str) -> NDArray[np.uint8]:
    """An image of Pillow as `decode_picture` gives it; one that was opened but not read is read now.

    Args:
        image: Of any mode; turned upright if it carries an EXIF orientation.
        source: Names it in error messages.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        UnreadablePicture: Its file is damaged, or it is larger than `MAX_PIXELS` or `MAX_SIDE`.
    """
    with _one_line_errors(source):
        return _pixels(image, source)


def _pixels(image: Image.Image, source: str) -> NDArray[np.uint8]:
    width, height = image.size
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise UnreadablePicture(_too_large(source, f"{width}x{height} pixels"))
    image.load()
    return _upright(_to_rgb(image, source), _orientation(image))


@contextmanager
def _one_line_errors(source: str) -> Iterator[None]:
    try:
        yield
    except UnreadablePicture:
        raise
    except Image.DecompressionBombError as error:  # Pillow's own bound comes first for gigantic sizes
        raise UnreadablePicture(_too_large(source, "hundreds of megapixels")) from error
    except UnidentifiedImageError as error:
        raise UnreadablePicture(f"{source} is no picture that can be read; save it as {_FORMATS_TEXT}") from error
    except Exception as error:  # decoders meet hostile bytes with many kinds of exception; each means the same here
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadablePicture(f"{source} is damaged ({reason}); copy it again from its origin") from error


def _too_large(source: str, size: str) -> str:
    return (
        f"{source} has {size}, the limit is {MAX_PIXELS // 1_000_000} megapixels and {MAX_SIDE} a side; scale it down"
    )


def _to_rgb(image: Image.Image, source: str) -> NDArray[np.uint8]:
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        # Pillow clips 16 bits to 8; 65535 must become 255. Its PGM reader brings any deep maximum to 65535.
        deep = np.asarray(image).astype(np.float32)
        grey = np.rint(deep / 257).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise UnreadablePicture(f"{source} has 32-bit pixels of unknown range; save it with 8 or 16 bits")
    if image.mode in _RGBA_MODES or "transparency" in image.info:
        picture = image.convert("RGBA")
        canvas = Image.new("RGBA", picture.size, "white")
        return np.array(Image.alpha_composite(canvas, picture).convert("RGB"))
    return np.array(image.convert("RGB"))


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # broken EXIF around sound pixels
        return 1


def _upright(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undoes EXIF orientation 1..8 (EXIF 2.3, tag 0x0112)."""
    if orientation in (5, 6, 7, 8):
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)
