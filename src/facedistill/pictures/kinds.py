"""Files that are no picture of an admitted format, known by how they begin; and what to do with each."""

import re

_TO_JPEG = "convert it to JPEG"
_MACOS = "macOS metadata of another file"
_NO_PICTURE = "no picture that can be read"

HEIF = "HEIC"
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

# A pattern for the beginning of the file, the kind, and what to do.
_KINDS = [
    (rb"\x00\x05\x16\x07", _MACOS, "delete it"),
    (rb"version https://git-lfs", "a pointer of Git LFS", "fetch the file with `git lfs pull`"),
    (rb"II\*\x00.{4}CR|II[RU][OS]?\x00?|MMOR|FUJIFILMCCD-RAW|.{4}ftypcrx", "camera raw", "export it as JPEG"),
    (rb".{4}ftypavi[fs]", "AVIF", _TO_JPEG),
    (rb".{4}ftyp|RIFF.{4}AVI |\x1aE\xdf\xa3|\x00\x00\x01[\xb3\xba]|FLV", "a film", "save a still of it as JPEG"),
    (rb"\xff\x0a|\x00\x00\x00\x0cJXL ", "JPEG XL", _TO_JPEG),
    (rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51", "JPEG 2000", _TO_JPEG),
    (rb"8BPS", "Photoshop", "save it as JPEG"),
    (rb"%PDF", "PDF", "export its picture as JPEG"),
    (rb"PK\x03\x04|Rar!|7z\xbc\xaf|\x1f\x8b", "an archive", "unpack it"),
    (rb"\s*<(!doctype html|html)", "a web page", "download the picture itself"),
]
_PATTERNS = [(re.compile(pattern, re.DOTALL | re.IGNORECASE), kind, mend) for pattern, kind, mend in _KINDS]

_ADMITTED = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|RIFF.{4}WEBP|BM|II[*+]\x00|MM\x00[*+]|GIF8[79]a|P[1-6]\s", re.DOTALL
)

NO_PICTURES = frozenset({_NO_PICTURE, _MACOS, "file of the system", "hidden file"})
"""Kinds of files that nobody takes for pictures; the others that are left out may have been meant."""

HEAD = 64
"""So many bytes of a file tell what it is."""


def is_heif(head: bytes) -> bool:
    """Whether a file that begins so is HEIF with HEVC inside, as iPhones write it."""
    return head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS


def is_admitted(head: bytes) -> bool:
    """Whether a file that begins so is of a format that is decoded, HEIF aside."""
    return bool(_ADMITTED.match(head)) and not _PATTERNS[2][0].match(head)


def foreign_kind(head: bytes, formats: str) -> tuple[str, str]:
    """What a file is that begins so, and what to do with it.

    Args:
        head: Its first `HEAD` bytes.
        formats: What is decoded, for the advice.
    """
    if is_heif(head):
        return HEIF, f"{_TO_JPEG}, or `pip install pillow-heif`"
    for pattern, kind, mend in _PATTERNS:
        if pattern.match(head):
            return kind, mend
    return _NO_PICTURE, f"save it as {formats}"
