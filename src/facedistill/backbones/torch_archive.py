"""What `torch.save` writes, read without running any of it.

The file is a zip archive of uncompressed entries: `NAME/data.pkl`, a pickle of the content, and `NAME/data/K`, the
numbers of each tensor's storage (https://docs.pytorch.org/docs/stable/notes/serialization.html). `torch.load` trusts
what the pickle claims of a storage's length, and reads the archive by a parser of its own. Here one parser reads all
of it; every tensor lies within its storage, and every storage is as long as its entry. What is no tensor, dictionary,
list, text or number becomes an `Unread`, whatever its class: so a file that carries a trainer's objects beside its
weights opens, and none of them is ever called.
"""

import os
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facedistill.errors import FacedistillError
from facedistill.pickles import BoundedUnpickler, PickleError, Settable, check_key

_PICKLE, _CONSTANTS = "/data.pkl", "/constants.pkl"
_HEADER, _MAGIC, _LENGTHS = 30, b"PK\x03\x04", slice(26, 30)  # of an entry within the archive
_ALIGNMENT = 64
_MOST_AXES = 16
_LEGACY = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."  # the magic number of its own, pickled
_SHOWN = 80  # characters of a name
_STORAGES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class Unread(list[Any], Settable):
    """Stands for an object of a class that is not read; takes what its pickle gives it, and forgets it.

    Attributes:
        kind: The class, as `module.name`.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:  # noqa: D102
        pass

    def extend(self, values: Any) -> None:  # noqa: D102
        pass


class _Class:
    """Stands for a class or a function that is not read; a call of it gives an `Unread`."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self, *_arguments: Any) -> Unread:
        return Unread(self.kind)


class _Dict(dict[Any, Any], Settable):
    """Stands for OrderedDict, whose attributes (`_metadata` of a state dict) are not needed."""

    def __setstate__(self, state: Any) -> None:
        pass


def _ordered(items: Any = ()) -> _Dict:
    made = _Dict()
    for key, value in items:
        check_key(key)
        made[key] = value
    return made


def _shape(sides: Any) -> tuple[int, ...]:
    return tuple(int(side) for side in sides)


def read_archive(path: Path, mapped: bool = False) -> Any:
    """Reads what `torch.save` wrote, in the format that it has had since torch 1.6.

    Args:
        path: The file.
        mapped: Map the tensors' numbers instead of reading them, and do not check them; the file must stay as it is.

    Returns:
        Tensors on the CPU, without gradients; dictionaries, lists, tuples, texts and numbers; `Unread` for the rest.

    Raises:
        FacedistillError: The file is of another format, which the message names with the way to convert it.
        OSError: It cannot be read.
        Exception: It is damaged, in one of many ways; `PickleError` where it was made to harm.
    """
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        size = os.fstat(file.fileno()).st_size
        if any(name.endswith(_CONSTANTS) for name in entries):
            raise FacedistillError(
                f"{path} is a TorchScript program, which is not run here; save its weights: "
                + _save("torch.jit.load('IN.pt').state_dict()")
            )
        if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries.values()):
            raise PickleError("it has compressed entries, which torch does not write")
        if sum(entry.file_size for entry in entries.values()) > size or len(entries) < len(archive.infolist()):
            raise PickleError("its entries overlap")
        pickles = [name for name in entries if name.endswith(_PICKLE) and name.count("/") == 1]
        if len(pickles) != 1:
            raise PickleError("it is a zip archive that torch.save did not write")
        root = pickles[0].removesuffix(_PICKLE)

        def entry(name: str) -> np.memmap[Any, Any] | bytearray:
            return _entry(path, file, entries[f"{root}/{name}"], mapped and name.startswith("data/"))

        if f"{root}/byteorder" in entries and bytes(entry("byteorder")) != b"little":
            raise PickleError("its numbers are stored high byte first; save it on a usual processor")
        content = bytes(entry("data.pkl"))
        return _TorchUnpickler(content, entry).load()


def _entry(path: Path, file: Any, entry: zipfile.ZipInfo, mapped: bool) -> np.memmap[Any, Any] | bytearray:
    """The bytes of an entry, which are uncompressed."""
    file.seek(entry.header_offset)
    header = file.read(_HEADER)
    if not header.startswith(_MAGIC):
        raise PickleError("its list of entries does not fit them")
    name, extra = np.frombuffer(header[_LENGTHS], "<u2").tolist()
    start = entry.header_offset + _HEADER + name + extra
    if mapped and entry.file_size and start % _ALIGNMENT == 0:
        return np.memmap(path, np.uint8, "c", start, entry.file_size)
    file.seek(start)
    content = bytearray(entry.file_size)
    if file.readinto(content) != entry.file_size:
        raise EOFError("it ends too early")
    if entry.CRC and zlib.crc32(content) != entry.CRC:  # torch can leave the sum out, then it is 0
        raise ValueError("a checksum does not fit")
    return content


class _TorchUnpickler(BoundedUnpickler):
    """Reads `data.pkl`.

    Args:
        content: The pickle.
        entry: Gives the bytes of an entry.
    """

    def __init__(self, content: bytes, entry: Callable[[str], np.memmap[Any, Any] | bytearray]) -> None:
        super().__init__(BytesIO(content), len(content))
        self._entry = entry
        self._storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        admitted: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): _ordered,
            ("torch", "Size"): _shape,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch._utils", "_rebuild_parameter"): _parameter,
        }
        return admitted.get((module, name)) or _Class(f"{module}.{name}"[:_SHOWN])

    def persistent_load(self, pid: Any) -> Tensor:
        """The numbers of a storage, as a tensor of one axis."""
        kind, dtype, key, _location, count = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype) or not isinstance(key, str):
            raise PickleError("a storage is of a kind that is not known")
        if key not in self._storages:
            content = self._entry(f"data/{key}")
            numbers = torch.from_numpy(np.frombuffer(content, np.uint8)) if len(content) else torch.empty(0).byte()
            self._storages[key] = numbers
        stored = self._storages[key]
        if not isinstance(count, int) or count < 0 or count * dtype.itemsize != len(stored):
            raise PickleError(f"the storage {key[:_SHOWN]!r} holds {len(stored)} bytes, which is not what it claims")
        return stored.view(dtype)


def _tensor(storage: object, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_flags: object) -> Tensor:
    numbers = (offset, *size, *stride)
    if not isinstance(storage, Tensor) or not all(type(number) is int and 0 <= number < 1 << 60 for number in numbers):
        raise PickleError("a tensor is without its numbers")
    if len(size) != len(stride) or len(size) > _MOST_AXES:
        raise PickleError("a tensor has a shape that cannot be")
    last = offset + sum((side - 1) * step for side, step in zip(size, stride, strict=True))
    if all(size) and last >= len(storage):
        raise PickleError("a tensor is larger than its storage")
    return storage.as_strided(size, stride, offset if all(size) else 0)


def _parameter(value: Tensor, *_flags: object) -> Tensor:
    return value


def refuse_other_formats(path: Path) -> None:
    """Refuses what torch wrote before version 1.6.

    Raises:
        FacedistillError: Names the way to convert it.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        if file.read(len(_LEGACY)) == _LEGACY:
            raise FacedistillError(
                f"{path} is in torch's format from before version 1.6; save it anew: "
                + _save("torch.load('IN.pt', weights_only=True)")
            )


def refuse_whole_model(path: Path, content: Any) -> None:
    """Refuses a model that was saved whole.

    Raises:
        FacedistillError: `content` is an object of a class, not weights; names the way to save its weights.
    """
    if isinstance(content, Unread):
        raise FacedistillError(
            f"{path} is a whole model ({content.kind}), which only its own program can load; save its weights, which "
            "runs what the file holds, so only where you trust it: "
            + _save("torch.load('IN.pt', weights_only=False).state_dict()")
        )


def _save(expression: str) -> str:
    return f"""python -c "import torch; torch.save({expression}, 'OUT.pt')\""""
