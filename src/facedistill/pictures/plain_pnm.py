"""PBM, PGM and PPM in plain text, without comments (https://netpbm.sourceforge.net/doc/ppm.html)."""

import re

from facedistill.pictures.unreadable import unreadable

MAX_TEXT = 16 << 20  # bytes; they are read as text, a second for about ten million

_COMMENT = re.compile(rb"#[^\n\r]*")


def without_comments(data: bytes, source: str) -> bytes:
    """The picture without its comments, which a reader may look for byte by byte.

    Raises:
        UnreadablePicture: It is larger than `MAX_TEXT`.
    """
    if len(data) > MAX_TEXT:
        raise unreadable(source, "too large", "save it in the binary form", f"over {MAX_TEXT >> 20} MiB of plain text")
    return _COMMENT.sub(b"", data)
