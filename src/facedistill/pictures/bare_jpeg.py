"""JPEG without metadata, its scans counted (ITU-T T.81, annex B)."""

import re
import struct

from facedistill.pictures.unreadable import unreadable

MAX_SCANS = 32  # a progressive JPEG has about ten; each costs a pass over all pixels, however few bytes it has

_ALONE = {0x01, *range(0xD0, 0xD9)}  # TEM, RST0-7 and SOI have no length
_APP0, _APP1, _APP14, _COMMENT, _EOI, _SOS = 0xE0, 0xE1, 0xEE, 0xFE, 0xD9, 0xDA
_METADATA = {*range(0xE1, 0xF0), *range(0xF0, 0xFF), _COMMENT} - {_APP14}  # what decoding needs: JFIF, Adobe, tables
_AFTER_SCAN = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]", re.DOTALL)  # in a scan, 0xFF stands before 0 and RST alone


def bare_jpeg(data: bytes, source: str) -> tuple[bytes, bytes]:
    """The JPEG without metadata, and its EXIF data (b"" without any).

    Raises:
        UnreadablePicture: It has more than `MAX_SCANS` scans.
    """
    kept, exif, scans = [data[:2]], b"", 0
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        if marker in _ALONE:
            place += 2
            continue
        if marker == _EOI:
            break
        end = place + 2 + struct.unpack_from(">H", data, place + 2)[0]
        if marker == _SOS:
            scans += 1
            if scans > MAX_SCANS:
                raise unreadable(source, "no usual JPEG", "save it again", f"more than {MAX_SCANS} scans")
            found = _AFTER_SCAN.search(data, end)
            end = found.start() if found else len(data)
        if marker not in _METADATA:
            kept.append(data[place:end])
        elif marker == _APP1 and not exif and data[place + 4 : place + 10] == b"Exif\0\0":
            exif = data[place + 4 : end]
        place = end
    return b"".join([*kept, data[place : place + 2]]), exif
