"""MATLAB's MAT-files, as far as lists of pictures need them: arrays of whole numbers, and cells that hold texts.

The format is "MAT-File Level 5" (The MathWorks, "MAT-File Format", chapter 1); MATLAB writes it compressed by
default. `scipy.io.loadmat` reads more of it, but a file of nested cells makes it overflow the stack and end the
process, and a file that claims a large array makes it allocate the memory first. Here nothing is made that is larger
than the bytes that stand for it, cells do not nest and are counted, and objects and functions are not read at all.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import FacedistillError, UsageError

MAX_BYTES = 64 << 20
"""Of a file, and of what its compressed parts hold."""

MOST_CELLS = 1 << 17
"""Of all variables together; the longest list of the sets that are read has 60,423."""

_MOST_AXES = 32
_MOST_NAME, _MOST_TEXT = 256, 1 << 16  # bytes of a variable's name, and of one text
_HDF5 = b"\x89HDF\r\n\x1a\n"  # at the beginning, or behind MATLAB's 512 bytes
_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "utf-8", 2: "utf-8", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _CHAR, _NUMERIC = 1, 4, range(6, 16)


def read_mat(path: Path | str) -> dict[str, NDArray[Any]]:
    """Reads the variables of a MAT-file of level 5 (MATLAB's -v6 and -v7).

    Returns:
        {name: array}: numbers in the type they are stored in, and cells as objects, each a text. Axes are as in
        MATLAB. Variables of other classes are left out.

    Raises:
        UsageError: There is no such file, or it is of another level.
        FacedistillError: The file is damaged, larger than `MAX_BYTES`, or its cells hold anything but texts.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FacedistillError(f"{path} is larger than {MAX_BYTES >> 20} MiB; a list of pictures is not")
        data = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist; name the folder that the set was unpacked into") from None
    except OSError as error:
        raise FacedistillError(f"cannot read {path}: {error.strerror}; check the file and its rights") from error
    order = {b"IM": "<", b"MI": ">"}.get(data[126:_HEADER])
    if order is None or data[124:126] not in (b"\x00\x01", b"\x01\x00"):
        found = "of version 7.3 (HDF5)" if _HDF5 in (data[:8], data[512:520]) else "of another kind"
        raise UsageError(
            f"{path} is no MAT-file of level 5, but {found}; in MATLAB (or Octave): s = load('IN.mat'); "
            "save('-v7', 'OUT.mat', '-struct', 's')"
        )
    try:
        return dict(_Reader(order).variables(data[_HEADER:]))
    except (ValueError, LookupError, OverflowError, struct.error, zlib.error) as error:  # each means the same here
        reason = " ".join(str(error).split())
        raise FacedistillError(f"{path} cannot be read ({reason}); copy it again from its origin") from error


class _Element(NamedTuple):
    kind: int
    data: memoryview


class _Reader:
    """Reads the variables of one file.

    Args:
        order: "<" or ">", of its numbers' bytes.
    """

    def __init__(self, order: str) -> None:
        self._order = order
        self._room = MAX_BYTES  # for what its compressed parts hold
        self._cells = MOST_CELLS

    def variables(self, content: bytes) -> Iterator[tuple[str, NDArray[Any]]]:
        """Each variable that is read: its name and its values."""
        for element in self._elements(memoryview(content)):
            variable = element
            if element.kind == _COMPRESSED:
                variable = next(self._elements(memoryview(self._decompress(element.data))), element)
            if variable.kind != _MATRIX:
                raise ValueError(f"an element of kind {variable.kind} stands where a variable should be")
            name, values = self._matrix(variable.data, nested=False)
            if values is not None:
                yield name, values

    def _matrix(self, data: memoryview, nested: bool) -> tuple[str, NDArray[Any] | None]:
        """A variable's name and values; None for a class that is not read."""
        parts = self._elements(data)
        kind = int(self._numbers(_next(parts))[0]) & 0xFF
        if kind not in (_CELL, _CHAR, *_NUMERIC):
            if nested:
                raise ValueError("a cell holds neither a text nor numbers")
            return "", None
        sides = self._numbers(_next(parts))
        if len(sides) > _MOST_AXES:  # the product of many takes quadratic time
            raise ValueError(f"a variable has {len(sides)} axes")
        shape = tuple(map(int, sides.tolist()))
        name = _short(_next(parts), _MOST_NAME).decode("utf-8")
        if len(shape) < 2 or min(shape) < 0:
            raise ValueError(f"{name or 'a cell'} has no size")
        if kind == _CELL:
            if nested:
                raise ValueError("a cell holds cells")
            texts = [self._cell(part) for part in parts]
            _check_size(name, shape, len(texts))
            cells = np.empty(len(texts), dtype=object)
            cells[:] = texts
            return name, cells.reshape(shape, order="F")
        if kind == _CHAR:
            if shape[0] > 1:
                raise ValueError(f"{name or 'a cell'} holds a block of characters, not one text")
            return name, np.array(self._text(_next(parts)) if math.prod(shape) else "", dtype=object)
        values = self._numbers(_next(parts))
        _check_size(name, shape, len(values))
        return name, values.reshape(shape, order="F")

    def _cell(self, part: _Element) -> str:
        self._cells -= 1
        if self._cells < 0:
            raise ValueError(f"it holds more than {MOST_CELLS} cells")
        if part.kind != _MATRIX:
            raise ValueError("a cell without its content")
        content = self._matrix(part.data, nested=True)[1]
        if content is None or content.dtype != object:
            raise ValueError("a cell holds numbers, not a text")
        return str(content)

    def _elements(self, data: memoryview) -> Iterator[_Element]:
        """The elements that fill `data`; all but compressed ones are padded to 8 bytes."""
        at, word, words = 0, struct.Struct(self._order + "I"), struct.Struct(self._order + "II")
        while at < len(data):
            (tag,) = word.unpack_from(data, at)
            if tag >> 16:  # up to four bytes, beside their tag
                kind, size, start, end = tag & 0xFFFF, tag >> 16, at + 4, at + 8
            else:
                kind, size = words.unpack_from(data, at)
                start = at + 8
                end = start + size + (0 if kind == _COMPRESSED else -size % 8)
            if start + size > min(len(data), end):
                raise ValueError("it ends too early")
            yield _Element(kind, data[start : start + size])
            at = end

    def _numbers(self, element: _Element) -> NDArray[Any]:
        if element.kind not in _NUMBERS:
            raise ValueError(f"numbers are of the unknown kind {element.kind}")
        return np.frombuffer(element.data, dtype=self._order + _NUMBERS[element.kind])

    def _text(self, element: _Element) -> str:
        if element.kind not in _TEXTS:
            raise ValueError(f"a text is of the unknown kind {element.kind}")
        encoding = _TEXTS[element.kind]
        ending = "" if encoding == "utf-8" else {"<": "-le", ">": "-be"}[self._order]
        return _short(element, _MOST_TEXT).decode(encoding + ending)

    def _decompress(self, data: memoryview) -> bytes:
        unpacker = zlib.decompressobj()
        unpacked = unpacker.decompress(data, self._room + 1)
        if len(unpacked) > self._room:
            raise ValueError(f"its compressed parts hold more than {MAX_BYTES >> 20} MiB")
        if not unpacker.eof:
            raise ValueError("it ends too early")
        self._room -= len(unpacked)
        return unpacked


def _check_size(name: str, shape: tuple[int, ...], held: int) -> None:
    if math.prod(shape) != held:
        raise ValueError(f"{name or 'a cell'} claims {math.prod(shape)} values and holds {held}")


def _short(element: _Element, most: int) -> bytes:
    if len(element.data) > most:
        raise ValueError(f"a text is longer than {most} bytes")
    return element.data.tobytes()


def _next(parts: Iterator[_Element]) -> _Element:
    part = next(parts, None)
    if part is None:
        raise ValueError("it ends too early")
    return part
