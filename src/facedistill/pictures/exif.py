"""The orientation in EXIF data, read without the rest of it.

A directory of EXIF may point to the same megabyte thousands of times, and a library that reads all of it takes as many
megabytes (EXIF 2.3, section 4.6.2; tag 0x0112).
"""

import struct

_TAG, _SHORT = 0x0112, 3


def orientation(exif: bytes) -> int:
    """1..8; 1 where there is none, or nothing that makes sense."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, values, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
            if tag == _TAG:
                return value if kind == _SHORT and values == 1 and 1 <= value <= 8 else 1
    except struct.error:  # it points beyond its end
        return 1
    return 1
