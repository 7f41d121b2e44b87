"""Mutations of whole files: an input follows from its reader, its seed and its number alone."""

import random
import re
import struct
from collections.abc import Callable, Sequence

from tests.fuzz.reader import Files, Reader

LARGEST = 1_000_000  # bytes of an input
_MOST_EDITS = 6
_NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    8,
    127,
    128,
    255,
    256,
    65535,
    65536,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**53,
    2**63 - 1,
    -1,
)
_TEXTS = (
    b"0",
    b"-1",
    b"1e999",
    b"nan",
    b"9" * 20,
    b"9" * 5000,
    b"",
    b" ",
    b"\xff",
    b"\xe2\x80\xae",
    b"\x1b[31m",
    b"../",
)
_DIGITS = re.compile(rb"\d+")

Edit = Callable[[bytes, random.Random, "Sequence[bytes]"], bytes]


def parts_of(reader: Reader, goldens: Sequence[Files], name: str, seed: int, number: int) -> tuple[Files, list[str]]:
    """The parts of input `number`, and what was done to which of them."""
    rng = random.Random(f"{name} {seed} {number}")
    parts = dict(rng.choice(goldens))
    done = []
    for _ in range(rng.randint(1, _MOST_EDITS)):
        part = rng.choice(sorted(parts))
        edit = rng.choice(_EDITS)
        others = [golden[part] for golden in goldens if part in golden]
        parts[part] = edit(parts[part], rng, (*reader.tokens, *others))[:LARGEST]
        done.append(f"{edit.__name__} {part}")
    return parts, done


def flip(data: bytes, rng: random.Random, _tokens: Sequence[bytes]) -> bytes:
    at = _place(data, rng)
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :] if data else data


def put_byte(data: bytes, rng: random.Random, _tokens: Sequence[bytes]) -> bytes:
    at = _place(data, rng)
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def put_number(data: bytes, rng: random.Random, _tokens: Sequence[bytes]) -> bytes:
    size, at = rng.choice((2, 4, 8)), _place(data, rng)
    at -= at % rng.choice((1, size))
    value = rng.choice(_NUMBERS) % 256**size
    return data[:at] + value.to_bytes(size, rng.choice(("little", "big"))) + data[at + size :]


def put_float(data: bytes, rng: random.Random, _tokens: Sequence[bytes]) -> bytes:
    kind, at = rng.choice(("<f", "<d", ">d")), _place(data, rng)
    value = struct.pack(kind, rng.choice((0.0, -1.0, 1e30, float("inf"), float("nan"), 2.0**24)))
    return data[:at] + value + data[at + len(value) :]


def put_text(data: bytes, rng: random.Random, _tokens: Sequence[bytes]) -> bytes:
    """In place of a number that is written out."""
    found = list(_DIGITS.finditer(data[:20_000]))
    if not found:
        return put_byte(data, rng, _tokens)
    match = rng.choice(found)
    return data[: match.start()] + rng.choice(_TEXTS) + data[match.end() :]


def insert(data: bytes, rng: random.Random, tokens: Sequence[bytes]) -> bytes:
    at = _place(data, rng)
    return data[:at] + rng.choice(tokens) + data[at:]


def insert_often(data: bytes, rng: random.Random, tokens: Sequence[bytes]) -> bytes:
    token, at = rng.choice(tokens), _place(data, rng)
    count = min(rng.choice((10, 1000, LARGEST)), LARGEST // max(1, len(token)))
    return data[:at] + token * count + data[at:]


def delete(data: bytes, rng: random.Random, _tokens: Sequence[bytes]) -> bytes:
    at, length = _stretch(data, rng)
    return data[:at] + data[at + length :]


def cut(data: bytes, rng: random.Random, _tokens: Sequence[bytes]) -> bytes:
    return data[: _place(data, rng)]


def repeat(data: bytes, rng: random.Random, _tokens: Sequence[bytes]) -> bytes:
    at, length = _stretch(data, rng)
    count = min(rng.choice((1, 2, 100, 100_000)), LARGEST // max(1, length))
    return data[: at + length] + data[at : at + length] * count + data[at + length :]


def move(data: bytes, rng: random.Random, _tokens: Sequence[bytes]) -> bytes:
    at, length = _stretch(data, rng)
    rest = data[:at] + data[at + length :]
    to = _place(rest, rng)
    return rest[:to] + data[at : at + length] + rest[to:]


_EDITS: tuple[Edit, ...] = (
    *(flip, put_byte, put_number, put_number, put_float, put_text),
    *(insert, insert, insert_often, delete, cut, repeat, move),
)


def _place(data: bytes, rng: random.Random) -> int:
    # Headers matter most: every other place is among the first bytes.
    return rng.randrange(min(len(data), rng.choice((64, len(data))))) if data else 0


def _stretch(data: bytes, rng: random.Random) -> tuple[int, int]:
    at = _place(data, rng)
    return at, min(rng.choice((1, 4, 8, 16, 64, 1000)), len(data) - at)
