"""How large a picture may be; all is checked before a pixel is decoded."""

import os

from PIL import Image

from facedistill.errors import UsageError
from facedistill.pictures.unreadable import UnreadablePicture, unreadable

MAX_BYTES = 256 << 20
MAX_PIXELS = 80_000_000  # 240 MB of RGB; a 64-megapixel phone photo passes
MAX_SIDE = 32_767  # OpenCV counts the pixels of a side in 16 bits

OPTION = "FACEDISTILL_MAX_MEGAPIXELS"
_MOST = MAX_SIDE * MAX_SIDE // 1_000_000

# Bytes that decoding may take: so many, and so many more for each byte of the file. A few bytes can announce a picture
# of any size, but no photo takes a byte for more than some tens of pixels.
_FREE, _PER_BYTE = 224_000_000, 64

_STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "LA": 4}  # Pillow's bytes a pixel; else 4
# What a decoder itself holds, in bytes a pixel (measured).
_DECODER = {"WEBP": 10, "HEIF": 12, "GIF": 4, "TIFF": 4}
_RGB = 3


def check_size(image: Image.Image, file_bytes: int, source: str) -> None:
    """Refuses a picture that is larger than the limits, or whose decoding would take memory out of all proportion.

    Args:
        image: Opened, not read.
        file_bytes: Size of its file.
        source: Names it in messages.

    Raises:
        UnreadablePicture: It is larger.
        UsageError: `$FACEDISTILL_MAX_MEGAPIXELS` is no number of megapixels.
    """
    width, height = image.size
    raised = raised_limit()
    if width * height > (raised or MAX_PIXELS) or max(width, height) > MAX_SIDE:
        raise too_large(source, f"{width}x{height} pixels")
    progressive = 2 * len(image.getbands()) if image.info.get("progressive") else 0  # the coefficients of all scans
    each = _STORED.get(image.mode, 4) + _DECODER.get(image.format or "", 0) + progressive + _RGB
    if raised is None and width * height * each > _FREE + _PER_BYTE * file_bytes:
        raise unreadable(
            source,
            "too large",
            f"scale it down, or set {OPTION}",
            f"{width}x{height} pixels in {file_bytes} bytes, more than a photo has",
        )


def raised_limit() -> int | None:
    """The pixels that `$FACEDISTILL_MAX_MEGAPIXELS` allows; None where it is not set.

    Raises:
        UsageError: It is no number of megapixels.
    """
    text = os.environ.get(OPTION)
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= _MOST):
        raise UsageError(f"{OPTION} is {text!r}; give a whole number of megapixels, 1..{_MOST}")
    pixels = int(text) * 1_000_000
    # Pillow refuses twice its own limit before we see the picture.
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, (pixels + 1) // 2)
    return pixels


def too_large(source: str, size: str) -> UnreadablePicture:
    """The error for a picture beyond `MAX_PIXELS`, or what was set instead, or `MAX_SIDE`."""
    most = (raised_limit() or MAX_PIXELS) // 1_000_000
    return unreadable(
        source,
        "too large",
        f"scale it down, or set {OPTION}",
        f"{size}; the limit is {most} megapixels and {MAX_SIDE} a side",
    )
