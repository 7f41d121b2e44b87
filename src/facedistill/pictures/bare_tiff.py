"""The first picture of a TIFF, with the fields alone that decoding needs (TIFF 6.0; BigTIFF by libtiff's description).

A field may claim any number of values at any place, and the same megabyte thousands of times, so all are checked and
most are left out before a library reads them.
"""

import struct
from dataclasses import dataclass

from facedistill.pictures.unreadable import UnreadablePicture, unreadable

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_KEPT = {
    *range(256, 260),
    262,
    266,
    273,
    274,
    *range(277, 280),
    284,
    317,
    *range(320, 326),
    338,
    339,
    347,
    *range(529, 533),
}
_SUBFILE, _TILE_WIDTH, _TILE_HEIGHT, _DNG = 254, 322, 323, 50706
_MAX_FIELDS = 512
_MAX_VALUES = 100_000  # places of strips: one a row, and a few for each row of planes
_MAX_TILE = 1 << 24  # pixels, 4096x4096


@dataclass(frozen=True)
class _Layout:
    """Classic TIFF or BigTIFF: `struct` formats, and sizes in bytes."""

    first: str
    first_at: int
    header: int
    count: str
    entry: str
    inline: int


_CLASSIC = _Layout("I", 4, 8, "H", "HHI4s", 4)
_BIG = _Layout("Q", 8, 16, "Q", "HHQ8s", 8)


def bare_tiff(data: bytes, source: str) -> bytes:
    """The TIFF with a directory of its own for the first picture, behind all else.

    Raises:
        UnreadablePicture: It is damaged, has more fields, strips or larger tiles than any usual one, or is camera raw.
    """
    order = "<" if data[:2] == b"II" else ">"
    layout = _BIG if data[2:4] in (b"+\0", b"\0+") else _CLASSIC
    try:
        fields = _fields(data, order, layout, source)
    except (struct.error, OverflowError):
        raise _damaged(source, "its directory lies beyond its end") from None
    if _DNG in fields or _number(fields.get(_SUBFILE), order) & 1:
        raise unreadable(source, "camera raw", "export it as JPEG")
    width, height = (_number(fields.get(tag), order) for tag in (_TILE_WIDTH, _TILE_HEIGHT))
    if width * height > _MAX_TILE:
        raise unreadable(source, "no usual TIFF", "save it again", f"tiles of {width}x{height} pixels")
    kept = [fields[tag] for tag in sorted(_KEPT & fields.keys())]
    padding = b"\0" * (len(data) % 2)
    end = layout.header + len(data[layout.header :]) + len(padding)
    return b"".join(
        [
            data[: layout.first_at],
            struct.pack(order + layout.first, end),
            data[layout.header :],
            padding,
            struct.pack(order + layout.count, len(kept)),
            *(struct.pack(order + layout.entry, *field) for field in kept),
            struct.pack(order + layout.first, 0),
        ]
    )


_Field = tuple[int, int, int, bytes]


def _fields(data: bytes, order: str, layout: _Layout, source: str) -> dict[int, _Field]:
    """Tag -> the fields of the first directory as they are stored: tag, type, number of values, value or its place."""
    (place,) = struct.unpack_from(order + layout.first, data, layout.first_at)
    (count,) = struct.unpack_from(order + layout.count, data, place)
    if count > _MAX_FIELDS:
        raise unreadable(source, "no usual TIFF", "save it again", f"{count} fields")
    place += struct.calcsize(order + layout.count)
    fields = {}
    for number in range(count):
        field = struct.unpack_from(order + layout.entry, data, place + number * struct.calcsize(order + layout.entry))
        tag, kind, values, value = field
        if tag in _KEPT:
            size = values * _SIZES.get(kind, 1)
            if size > layout.inline and struct.unpack(order + layout.first, value)[0] + size > len(data):
                raise _damaged(source, f"field {tag} reaches beyond its end")
            if values > _MAX_VALUES:
                raise unreadable(source, "no usual TIFF", "save it again", f"{values} values in field {tag}")
        fields[tag] = field
    return fields


def _number(field: _Field | None, order: str) -> int:
    """The single value of a field; 0 without it."""
    if field is None:
        return 0
    _, kind, _, value = field
    return int(struct.unpack_from(order + {3: "H", 16: "Q"}.get(kind, "I"), value.ljust(8, b"\0"))[0])


def _damaged(source: str, detail: str) -> UnreadablePicture:
    return unreadable(source, "damaged", "copy it again from its origin", detail)
