"""PNG without metadata (https://www.w3.org/TR/png-3/#5Chunk-layout)."""

import struct

_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_HEAD = 8  # the signature; also length and name of a chunk


def bare_png(data: bytes) -> tuple[bytes, bytes]:
    """The PNG without texts, profiles and further frames, and its EXIF data (b"" without any)."""
    kept, exif = [data[:_HEAD]], b""
    place = _HEAD
    while place + _HEAD <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        end = place + _HEAD + length + 4
        if name in _KEPT:
            kept.append(data[place:end])
        elif name == b"eXIf":
            exif = data[place + _HEAD : end - 4]
        place = end
    return b"".join(kept), exif
