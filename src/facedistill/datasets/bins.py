"""The field's `.bin` verification files (LFW, CFP-FP, AgeDB-30, CALFW, CPLFW): a pickle of pictures and their pairs.

A pickle can run any code when it is loaded, and make much of little. The reader here admits only the calls that
such a file needs, carries them out itself, and refuses all others, as well as arrays that claim to be larger than the
file: not even numpy's own unpickling is called.
"""

import gzip
import mmap
import pickle
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets.pairs import PairSet
from facedistill.errors import FacedistillError, UsageError
from facedistill.files import atomic_path
from facedistill.pickles import BoundedUnpickler, ByteSource, PickleError, Settable

_SHOWN, _SHOWN_REASON = 80, 200  # characters of a name, and of what another library reports
_ELEMENT_TYPES = {"b1", "i1", "u1", "i4", "u4", "i8", "u8", "f4", "f8"}
# Encoded pictures hardly shrink, so a file that unpacks to much more is none.
_GZIP, _GZIP_GAIN, _GZIP_ROOM = b"\x1f\x8b", 8, 1 << 20


def read_bin(path: Path | str) -> PairSet:
    """Reads a `.bin` file that Python 2 or 3 wrote, or one packed by gzip; pair k is pictures 2k and 2k + 1.

    Raises:
        UsageError: There is no such file.
        FacedistillError: The file is damaged, is no `.bin` file, or calls anything that pictures and pairs do not need.
    """
    path = Path(path)
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            content = _unpacked(data).load()
    except PickleError as error:
        raise FacedistillError(f"{path} is refused: {error}; take it from a source you trust") from error
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist; name a verification file such as lfw.bin") from None
    except OSError as error:
        raise FacedistillError(f"cannot read {path}: {error.strerror}") from error
    except Exception as error:  # damaged pickles fail in many ways; each means the same here
        raise FacedistillError(
            f"{path} is no verification file that can be read ({_reason(error)}); copy it again from its origin"
        ) from error
    try:
        pictures, same = _checked(content)
    except ValueError as error:
        raise FacedistillError(f"{path} is no verification file: {error}; copy it again from its origin") from error
    first = np.arange(0, len(pictures), 2)
    return PairSet(str(path), pictures, first, first + 1, same)


def _unpacked(data: mmap.mmap) -> "_PairsUnpickler":
    """The loader of a file, or of what gzip packed into it."""
    if data[: len(_GZIP)] != _GZIP:
        return _PairsUnpickler(data, len(data))
    room = _GZIP_ROOM + _GZIP_GAIN * len(data)
    with gzip.GzipFile(fileobj=BytesIO(data)) as packed:
        content = packed.read(room + 1)
    if len(content) > room:
        raise PickleError(f"gzip made it less than 1/{_GZIP_GAIN} as large, which no pictures allow")
    return _PairsUnpickler(BytesIO(content), len(content))


def write_bin(path: Path | str, pictures: Sequence[bytes], issame: Sequence[bool] | NDArray[np.bool_]) -> None:
    """Writes a `.bin` file that every reader of the field opens.

    Args:
        path: The file.
        pictures: Encoded pictures; pair k is pictures 2k and 2k + 1.
        issame: Whether each pair shows one person.

    Raises:
        UsageError: The numbers of pictures and pairs do not match, or a picture is not bytes.
        FacedistillError: The file cannot be written.
    """
    content = ([*pictures], [bool(same) for same in issame])
    try:
        _checked(content)
    except ValueError as error:
        raise UsageError(f"cannot write {path}: {error}") from error
    with atomic_path(Path(path)) as temporary, temporary.open("wb") as file:
        pickle.dump(content, file, protocol=4)


def _checked(content: object) -> tuple[tuple[bytes, ...], NDArray[np.bool_]]:
    """The pictures and truths in a file's content; raises ValueError with what is wrong with it."""
    if not isinstance(content, list | tuple) or len(content) != 2:
        raise ValueError("it must hold a pair (pictures, same)")
    listed, truths = content
    truths = truths.values if isinstance(truths, _Array) else truths
    if not isinstance(listed, list | tuple) or not isinstance(truths, list | tuple | np.ndarray):
        raise ValueError("it must hold a list of pictures and a list of truths")
    if len(listed) != 2 * len(truths) or not len(truths):
        raise ValueError(f"it holds {len(listed)} pictures for {len(truths)} pairs, which need {2 * len(truths)}")
    pictures = tuple(_picture(picture, index) for index, picture in enumerate(listed))
    same = [bool(t) if isinstance(t, int | float | np.number | np.bool_) and t in (0, 1) else None for t in truths]
    if None in same:
        raise ValueError(f"pair {same.index(None)} is neither same nor different")
    return pictures, np.array(same, dtype=np.bool_)


def _picture(picture: object, index: int) -> bytes:
    if isinstance(picture, _Array) and picture.values.itemsize > 1:
        raise ValueError(f"picture {index} is an array of {picture.values.dtype}, not encoded bytes")
    if isinstance(picture, _Array):
        return picture.data  # no copy: a small file may list one picture, or its bytes, any number of times
    if not isinstance(picture, bytes | bytearray):
        raise ValueError(f"picture {index} is {type(picture).__name__}, not encoded bytes")
    return bytes(picture)


def _reason(error: Exception) -> str:
    if isinstance(error, EOFError):
        return "it ends too early"
    if isinstance(error, KeyError):  # of the table of instructions, or of values kept for later
        return "it makes no sense"
    return " ".join(str(error).split())[:_SHOWN_REASON] or type(error).__name__


class _ElementType(Settable):
    """Stands in for numpy.dtype."""

    def __init__(self, name: str | bytes, *_flags: object) -> None:
        name = name.decode("ascii") if isinstance(name, bytes) else name
        if name not in _ELEMENT_TYPES:
            raise ValueError(f"an array of {name!r} is not of numbers")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: tuple[object, ...]) -> None:
        if state[1] in (">", b">"):
            self.dtype = self.dtype.newbyteorder(">")


class _Array(Settable):
    """Stands in for numpy.ndarray: one axis, and no larger than the bytes that the file holds."""

    data = b""  # until the state is set, which a hostile file may leave out
    values: NDArray[np.generic] = np.zeros(0, np.uint8)

    def __setstate__(self, state: tuple[object, ...]) -> None:
        _version, shape, element, _fortran, data = state
        self.data, self.values = _values(data, element)
        if shape != self.values.shape:
            raise ValueError(f"an array of {len(self.values)} values claims the shape {shape}")


def _values(data: object, element: object) -> tuple[bytes, NDArray[np.generic]]:
    if not isinstance(element, _ElementType) or not isinstance(data, bytes):
        raise ValueError("an array without its bytes")
    return data, np.frombuffer(data, dtype=element.dtype)


def _array_from_buffer(data: object, element: object, shape: object, _order: object) -> _Array:
    array = _Array()
    array.__setstate__((1, shape, element, False, data))
    return array


def _scalar(element: object, data: object) -> object:
    return _values(data, element)[1][0]


# What pickles of every protocol need for lists of bytes and of truths; `bytes` stands for the unpickler's own method.
# Truths of Python's own and lists and tuples have their own opcodes and call nothing.
_ADMITTED: dict[tuple[str, str], Callable[..., object]] = {
    ("builtins", "bytes"): bytes,
    ("builtins", "bytearray"): bytes,
    ("__builtin__", "bytes"): bytes,
    ("__builtin__", "bytearray"): bytes,
    ("_codecs", "encode"): bytes,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _ElementType,
}
for _core in ("numpy.core", "numpy._core"):
    _ADMITTED[_core + ".multiarray", "_reconstruct"] = lambda *_: _Array()  # its values follow as its state
    _ADMITTED[_core + ".multiarray", "scalar"] = _scalar
    _ADMITTED[_core + ".numeric", "_frombuffer"] = _array_from_buffer


class _PairsUnpickler(BoundedUnpickler):
    def __init__(self, data: ByteSource, size: int) -> None:
        super().__init__(data, size, encoding="bytes")
        self._room = size  # bytes that its texts may become

    def find_class(self, module: str, name: str) -> Callable[..., object]:
        admitted = _ADMITTED.get((module, name))
        if admitted is None:
            raise PickleError(f"it calls {f'{module}.{name}'[:_SHOWN]!r}, which pictures and pairs never need")
        return self._bytes if admitted is bytes else admitted

    def _bytes(self, content: bytes | str = b"", _encoding: str = "latin-1") -> bytes:
        """Stands in for bytes, bytearray and _codecs.encode, within the size of the file."""
        if isinstance(content, bytes):
            return content
        if not isinstance(content, str):  # a bytearray cannot be: even its own instruction makes bytes here
            raise ValueError(f"bytes made from {type(content).__name__}")
        self._room -= len(content)
        if self._room < 0:
            raise ValueError("it makes more bytes than it holds")
        return content.encode("latin-1")
