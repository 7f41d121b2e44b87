"""Safe decoding of untrusted picture files to upright uint8 RGB, within limits."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from facedistill.errors import UsageError
from facedistill.pictures.bare_gif import bare_gif
from facedistill.pictures.bare_jpeg import bare_jpeg
from facedistill.pictures.bare_png import bare_png
from facedistill.pictures.bare_tiff import bare_tiff
from facedistill.pictures.exif import orientation
from facedistill.pictures.kinds import HEAD, foreign_kind, is_admitted, is_heif
from facedistill.pictures.limits import MAX_BYTES, MAX_PIXELS, MAX_SIDE, check_size, raised_limit, too_large
from facedistill.pictures.plain_pnm import without_comments
from facedistill.pictures.unreadable import UnreadablePicture, unreadable

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
_FORMATS_TEXT = "JPEG, PNG, WebP, BMP, TIFF, GIF, PPM or PGM"
_RGBA_MODES = ("RGBA", "RGBa", "LA", "La", "PA")
_COPY_AGAIN = "copy it again from its origin"
_STRIP = 1 << 18  # pixels that are converted at once
_ORIENTATION_TAG = 0x0112

# Pillow warns about damaged metadata and large sizes; what matters here is checked below and becomes an error. One
# filter for Pillow's own modules is set once, because `warnings.catch_warnings` is not safe between threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Reads a picture file as `decode_picture` does.

    Raises:
        UnreadablePicture: The file is missing, no regular file, larger than `MAX_BYTES`, or cannot be decoded.
    """
    path = Path(path)
    return decode_picture(read_file(path), str(path))


def read_file(path: Path) -> bytes:
    """The content of a picture file.

    Raises:
        UnreadablePicture: The file is missing, no regular file, larger than `MAX_BYTES`, or cannot be read.
    """
    try:
        if not path.is_file():  # a pipe or device would never end
            if path.exists():
                raise _not_there(path, "is a folder or a special file", "no file")
            raise _not_there(path, "is a link to nothing" if path.is_symlink() else "does not exist", "missing")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise _too_many_bytes(str(path), f"{size / 2**20:.0f} MiB")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _not_readable(path, error) from error


def check_picture(path: Path) -> None:
    """Raises UnreadablePicture unless a file begins as a picture that can be decoded; its name does not count."""
    if not path.is_file():
        raise _not_there(path, "is a link to nothing" if path.is_symlink() else "is a special file", "no file")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise _not_readable(path, error) from error
    if not (is_admitted(head) or (is_heif(head) and _heif_opener())):
        kind, mend = foreign_kind(head, _FORMATS_TEXT)
        raise unreadable(str(path), kind, mend)


def decode_picture(data: bytes, source: str) -> NDArray[np.uint8]:
    """Decodes a picture to RGB, turned upright by its EXIF orientation.

    The format is recognised by the content, not by the name. Of an animation the first frame is taken,
    transparency is laid over white, and 16-bit grey is scaled to 8 bits.
    EXIF data that cannot be read is treated as absent, all other metadata is left out unread.

    Args:
        data: The file's content: JPEG, PNG, WebP, BMP, TIFF, GIF, PPM or PGM; HEIC where `pillow-heif` is installed.
        source: The file's name, for the error message.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        UnreadablePicture: Empty, truncated, of another kind, or larger than `MAX_BYTES`, `MAX_PIXELS` or `MAX_SIDE`;
            or its decoding would take more than 224 MB and 64 bytes for each byte of the file, or more than 32 scans.
            All is checked before a pixel is decoded. `$FACEDISTILL_MAX_MEGAPIXELS` takes the place of `MAX_PIXELS`
            and of the limit of memory.
        UsageError: That variable is no number of megapixels.
    """
    if not data:
        raise unreadable(source, "empty", _COPY_AGAIN, "0 bytes")
    if len(data) > MAX_BYTES:
        raise _too_many_bytes(source, f"over {MAX_BYTES >> 20} MiB")
    head = data[:HEAD]
    heif = is_heif(head) and _heif_opener()
    if not (heif or is_admitted(head)):
        kind, mend = foreign_kind(head, _FORMATS_TEXT)
        raise unreadable(source, kind, mend)
    with _one_line_errors(source):
        raised_limit()
        bare, exif = _without_metadata(data, source)
        with Image.open(io.BytesIO(bare), formats=("HEIF",) if heif else _FORMATS) as image:
            check_size(image, len(data), source)
            image.load()
            turned = 1 if heif else orientation(exif or image.info.get("exif") or b"")  # HEIF's decoder turns it itself
            return _rgb(image, source, _tagged_orientation(image) if image.format == "TIFF" else turned)


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
        width, height = image.size
        if width * height > (raised_limit() or MAX_PIXELS) or max(width, height) > MAX_SIDE:
            raise too_large(source, f"{width}x{height} pixels")
        image.load()
        return _rgb(image, source, _tagged_orientation(image))


def _without_metadata(data: bytes, source: str) -> tuple[bytes, bytes]:
    """The content without what decoding does not need, and its EXIF data where that was part of it."""
    match data[:2]:
        case b"\xff\xd8":
            return bare_jpeg(data, source)
        case b"\x89P":
            return bare_png(data)
        case b"GI":
            return bare_gif(data), b""
        case b"II" | b"MM":
            return bare_tiff(data, source), b""
        case b"P1" | b"P2" | b"P3":
            return without_comments(data, source), b""
    return data, b""


@cache
def _heif_opener() -> bool:
    """Whether Pillow can open HEIF, with `pillow-heif`."""
    try:
        from pillow_heif import register_heif_opener  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return False
    register_heif_opener()
    return True


@contextmanager
def _one_line_errors(source: str) -> Iterator[None]:
    try:
        yield
    except (UnreadablePicture, UsageError):
        raise
    except Image.DecompressionBombError as error:  # Pillow's own bound comes first for gigantic sizes
        raise too_large(source, "hundreds of megapixels") from error
    except UnidentifiedImageError as error:
        raise unreadable(source, "damaged", _COPY_AGAIN, "its beginning makes no sense") from error
    except Exception as error:  # decoders meet hostile bytes with many kinds of exception; each means the same here
        reason = " ".join(str(error).split()) or type(error).__name__
        raise unreadable(source, "damaged", _COPY_AGAIN, reason) from error


def _rgb(image: Image.Image, source: str, turned: int) -> NDArray[np.uint8]:
    """The upright pixels, converted strip by strip, so that there is one copy of them.

    EXIF 2.3, tag 0x0112: orientation 1..8.
    """
    width, height = image.size
    upright = np.empty((width, height, 3) if turned >= 5 else (height, width, 3), np.uint8)
    stored = upright[::-1] if turned in (3, 4, 7, 8) else upright
    stored = stored[:, ::-1] if turned in (2, 3, 6, 7) else stored
    stored = stored.transpose(1, 0, 2) if turned >= 5 else stored
    rows = max(_STRIP // max(width, 1), 1)
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(top + rows, height)))
        stored[top : top + rows] = _strip_rgb(strip, image.format == "PPM", source)
    return upright


def _strip_rgb(strip: Image.Image, pgm: bool, source: str) -> NDArray[np.uint8]:
    if strip.mode.startswith("I;16") or (strip.mode == "I" and pgm):
        # Pillow clips 16 bits to 8; 65535 must become 255. Its PGM reader brings any deep maximum to 65535.
        deep = np.asarray(strip).astype(np.uint32)
        return ((deep + 128) // 257).clip(0, 255).astype(np.uint8)[:, :, None]
    if strip.mode in ("I", "F"):
        raise unreadable(source, "of 32-bit pixels", "save it with 8 or 16 bits", "of unknown range")
    if strip.mode in _RGBA_MODES or "transparency" in strip.info:
        picture = strip.convert("RGBA")
        strip = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return np.asarray(strip.convert("RGB"))


def _tagged_orientation(image: Image.Image) -> int:
    try:
        turned = int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # broken EXIF around sound pixels
        return 1
    return turned if 1 <= turned <= 8 else 1


def _not_there(path: Path, state: str, kind: str) -> UnreadablePicture:
    return UnreadablePicture(f"{path} {state}; name a picture file", kind, f"{kind}: it {state}")


def _not_readable(path: Path, error: OSError) -> UnreadablePicture:
    reason = f"{error.strerror or error}; check the file and its rights"
    return UnreadablePicture(f"cannot read {path}: {reason}", "not readable", f"not readable: {reason}")


def _too_many_bytes(source: str, size: str) -> UnreadablePicture:
    return unreadable(source, "too large", "save it smaller", f"{size}, the limit is {MAX_BYTES >> 20} MiB")
