"""The first frame of a GIF (https://www.w3.org/Graphics/GIF/spec-gif89a.txt)."""

_SCREEN = 13  # signature and logical screen descriptor
_CONTROL = 0xF9  # the extension that holds the transparent colour
_EXTENSION, _IMAGE, _TRAILER = b"!", b",", b";"


def bare_gif(data: bytes) -> bytes:
    """The GIF up to its first frame, without comments; unchanged where it ends before that."""
    if len(data) < _SCREEN:
        return data
    place = _SCREEN + _colours(data[10])
    kept = [data[:place]]
    while place < len(data):
        start, kind = place, data[place : place + 1]
        if kind == _EXTENSION:
            place = _after_blocks(data, place + 2)
            if data[start + 1 : start + 2] == bytes([_CONTROL]):
                kept.append(data[start:place])
        elif kind == _IMAGE and place + 11 <= len(data):
            place = _after_blocks(data, place + 11 + _colours(data[place + 9]))
            return b"".join([*kept, data[start:place], _TRAILER])
        else:
            break
    return data


def _colours(flags: int) -> int:
    """Bytes of the colour table that the flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(data: bytes, place: int) -> int:
    """Where a row of blocks ends: each begins with its length, the last one is empty."""
    while place < len(data) and data[place]:
        place += 1 + data[place]
    return place + 1
