"""Record sets laid out by hand, and a plain reader of dmlc's format."""

import struct
from pathlib import Path

from facedistill.recordio import RecordFile

MAGIC = bytes.fromhex("0a23d7ce")
# Two people, three pictures, laid out by hand: part header | flag, label, id, id2 | labels | picture, padding.
GOLDEN = {
    # Index header: images end at 4, identities at 6.
    0: "0a23d7ce 20000000 | 02000000 00000000 0000000000000000 0000000000000000 | 00008040 0000c040",
    1: "0a23d7ce 1b000000 | 00000000 00000000 0100000000000000 0000000000000000 | 010203 00",
    2: "0a23d7ce 18000000 | 00000000 00000000 0200000000000000 0000000000000000",
    # The picture begins with the magic word, so the record is split there: parts "first" and "last".
    3: "0a23d7ce 18000020 | 00000000 0000803f 0300000000000000 0000000000000000 | 0a23d7ce 01000060 7a 000000",
    # Identities: keys [1, 3) and [3, 4).
    4: "0a23d7ce 20000000 | 02000000 00000000 0400000000000000 0000000000000000 | 0000803f 00004040",
    5: "0a23d7ce 20000000 | 02000000 00000000 0500000000000000 0000000000000000 | 00004040 00008040",
}
GOLDEN_RECORDS = [bytes.fromhex(text.replace("|", "")) for text in GOLDEN.values()]
GOLDEN_PICTURES = [(0, b"\1\2\3"), (0, b""), (1, MAGIC + b"z")]


def lay_out(folder: Path, records: dict[int, bytes], prop: str = "2,4,3\n") -> Path:
    """A set from ready-made records, written without the code under test."""
    folder.mkdir(parents=True, exist_ok=True)
    offset, lines = 0, []
    for key, record in records.items():
        lines.append(f"{key}\t{offset}\n")
        offset += len(record)
    (folder / "train.rec").write_bytes(b"".join(records.values()))
    (folder / "train.idx").write_text("".join(lines))
    (folder / "property").write_text(prop)
    return folder


def whole(payload: bytes) -> bytes:
    return struct.pack("<II", 0xCED7230A, len(payload)) + payload + bytes(-len(payload) % 4)


def image(label: float, picture: bytes, *labels: float) -> bytes:
    head = struct.pack("<IfQQ", len(labels), 0 if labels else label, 0, 0)
    return whole(head + struct.pack(f"<{len(labels)}f", *labels) + picture)


def plain_read(data: bytes) -> list[bytes]:
    """All payloads of a record file, read from its begin to its end as dmlc does."""
    payloads, offset, parts = [], 0, []
    while offset < len(data):
        magic, packed = struct.unpack_from("<II", data, offset)
        assert magic == 0xCED7230A
        length = packed & 0x1FFFFFFF
        parts.append(data[offset + 8 : offset + 8 + length])
        if packed >> 29 in (0, 3):
            payloads.append(MAGIC.join(parts))
            parts = []
        offset += 8 + (length + 3) // 4 * 4
    return payloads


def all_of(folder: Path) -> list[tuple[object, bytes]]:
    records = RecordFile(folder)
    return [records[index] for index in range(len(records))]


def golden(folder: Path, **changed: object) -> Path:
    """The golden set with some files replaced, or removed (None)."""
    lay_out(folder, dict(enumerate(GOLDEN_RECORDS)))
    for name, content in changed.items():
        path = folder / {"rec": "train.rec", "idx": "train.idx", "prop": "property"}[name]
        path.unlink()
        if content is not None:
            path.write_bytes(content)
    return folder
