"""RecordIO, the field's own format for a face set: `train.rec`, `train.idx` and `property`.

A record on disk is one or more parts, each `magic, (3-bit continuation flag | 29-bit length), payload padded to 4`
(dmlc-core's recordio). Its joined payload is an image record: IRHeader `IfQQ` (flag, label, id, id2), then `flag`
float labels, then the encoded picture. In insightface's sets record 0 is an index header: two labels, the end of the
image records (which begin at 1) and the end of the identity records behind them; each identity record holds the
[first, last) keys of one person's images.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import FacedistillError, UsageError
from facedistill.files import atomic_path, write_text

Label: TypeAlias = int | Sequence[float]

RECORDS, INDEX, PROPERTY = "train.rec", "train.idx", "property"

_MAGIC = struct.pack("<I", 0xCED7230A)
_PART = struct.Struct("<4sI")
_IMAGE_HEADER = struct.Struct("<IfQQ")
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_LENGTH_BITS = 29
# The index header counts records, and an image record its label, in float32: whole numbers beyond this are rounded.
_LARGEST_EXACT = 1 << 24
_LABEL_BATCH = 1 << 16


def write_records(
    folder: Path, records: Iterable[tuple[Label, bytes]], size: tuple[int, int], classes: int | None = None
) -> None:
    """Writes a set that insightface opens too; the records are streamed, and the set is whole or absent.

    Images get the keys 1..N in the order given. Identity records follow them when every label is one whole number
    and each label's images stand together.

    Args:
        folder: Made when missing; a set that stands there is replaced.
        records: (label, encoded picture). A label is a class number, or a vector of floats whose first is the class.
        size: (height, width) of the pictures.
        classes: Number of people; None stands for the largest label + 1.

    Raises:
        UsageError: There are no records, or a label, the size or `classes` makes no sense.
        FacedistillError: The files cannot be written.
    """
    folder = Path(folder)
    if min(size) < 1:
        raise UsageError(f"cannot write {folder}: the size {size[0]}x{size[1]} (height x width) must be positive")
    ranges = _IdentityRanges()
    largest = 0
    with atomic_path(folder / RECORDS) as records_path, atomic_path(folder / INDEX) as index_path:
        with records_path.open("wb") as file, index_path.open("w", encoding="ascii") as index:
            _append(file, _image_record((0.0, 0.0), 0, b""))  # its place is kept; the counts are known at the end
            index.write("0\t0\n")
            for key, (label, picture) in enumerate(records, start=1):
                number = _checked_class(label, key, classes, folder)
                ranges.add(key, number if isinstance(label, int | np.integer) else None)
                largest = max(largest, number)
                index.write(f"{key}\t{file.tell()}\n")
                _append(file, _image_record(label, key, picture))
            end = ranges.end
            if end == 1:
                raise UsageError(f"cannot write {folder}: there are no pictures to write")
            identities = ranges.found()
            for key, identity in enumerate(identities, start=end):
                index.write(f"{key}\t{file.tell()}\n")
                _append(file, _image_record(identity, key, b""))
            file.seek(0)
            _append(file, _image_record((float(end), float(end + len(identities))), 0, b""))
        # Until the last line there is no `property`, and so no set that could be opened half replaced.
        (folder / PROPERTY).unlink(missing_ok=True)
    write_text(folder / PROPERTY, f"{largest + 1 if classes is None else classes},{size[0]},{size[1]}\n")


class RecordFile:
    """Random access to the image records of a set, by memory map; holds no picture in memory.

    Sets without an index header (plain im2rec sets) open too: all their records are images.

    Attributes:
        folder: Where the set lies.
        classes: Number of people, from `property`.
        size: (height, width) of the pictures, from `property`.
        keys: int64 [N], the images' keys in `train.idx`, ascending.

    Raises:
        FacedistillError: A file is missing, empty or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.classes, self.size = _read_property(self.folder / PROPERTY)
        self._path = self.folder / RECORDS
        try:
            self._data = np.memmap(self._path, dtype=np.uint8, mode="r")
        except FileNotFoundError:
            raise FacedistillError(f"{self._path} is missing; copy it again, or write the set again") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "the file is empty"
            raise FacedistillError(
                f"cannot open {self._path}: {reason}; copy it again, or write the set again"
            ) from error
        keys, offsets = _read_index(self.folder / INDEX)
        outside = (offsets < 0) | (offsets % 4 != 0) | (offsets > len(self._data) - _PART.size)
        if outside.any():
            self._damaged(keys[outside][0], f"its offset {offsets[outside][0]} lies outside the file's records")
        self.keys, self._offsets = self._images_only(keys, offsets)

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> tuple[float | NDArray[np.float32], bytes]:
        """The label (a float, or float32 [k] where the record carries k of them) and the encoded picture of one image.

        Raises:
            IndexError: `index` is not in -N..N-1.
            FacedistillError: The record is damaged.
        """
        return self._image(int(self.keys[index]), int(self._offsets[index]))

    def __reduce__(self) -> tuple[type["RecordFile"], tuple[Path]]:
        # A memory map would be copied whole into the pickle; a worker process maps the file itself.
        return RecordFile, (self.folder,)

    @cached_property
    def labels(self) -> NDArray[np.float32]:
        """float32 [N]: each image's label, the first one where a record carries several; no picture is read."""
        batches = range(0, len(self), _LABEL_BATCH)
        return np.concatenate([self._labels_from(slice(first, first + _LABEL_BATCH)) for first in batches])

    def _labels_from(self, batch: slice) -> NDArray[np.float32]:
        """The labels of a batch at once; records whose header is split or damaged are read one by one."""
        head = _PART.size + _IMAGE_HEADER.size + 4
        offsets = self._offsets[batch]
        # Bytes behind the file's end only occur where the slow path decides.
        at = np.minimum(offsets[:, None] + np.arange(head), len(self._data) - 1)
        words = np.ascontiguousarray(self._data[at]).view("<u4")
        part, length = words[:, 1] >> _LENGTH_BITS, words[:, 1] & ((1 << _LENGTH_BITS) - 1)
        flag, single, first = words[:, 2], words[:, 3].view("<f4"), words[:, 8].view("<f4")
        labels = np.where(flag > 0, first, single).astype(np.float32)
        fits = (length >= _IMAGE_HEADER.size + 4 * flag.astype(np.int64)) & (offsets + 8 + length <= len(self._data))
        plain = (words[:, 0] == int.from_bytes(_MAGIC, "little")) & (part <= _FIRST) & fits
        for row in np.flatnonzero(~plain):
            label, _ = self[batch.start + int(row)]
            labels[row] = label if isinstance(label, float) else label[0]
        return labels

    def _images_only(
        self, keys: NDArray[np.int64], offsets: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Leaves out the index header and the identity records, if the set has them."""
        if keys[0] != 0:
            return keys, offsets
        header, picture = self._image(0, int(offsets[0]))
        if isinstance(header, float) or len(header) != 2 or picture:
            return keys, offsets
        end = int(header[0]) if np.isfinite(header[0]) else 0
        images = (keys >= 1) & (keys < end)
        if end < 2 or np.count_nonzero(images) != end - 1:
            self._damaged(0, f"the header promises {max(end - 1, 0)} images, {INDEX} lists {np.count_nonzero(images)}")
        return keys[images], offsets[images]

    def _image(self, key: int, offset: int) -> tuple[float | NDArray[np.float32], bytes]:
        payload = _MAGIC.join(self._parts(key, offset))
        if len(payload) < _IMAGE_HEADER.size:
            self._damaged(key, f"{len(payload)} bytes are too few for an image header")
        flag, label, _, _ = _IMAGE_HEADER.unpack_from(payload)
        if not flag:
            return float(label), payload[_IMAGE_HEADER.size :]
        picture_start = _IMAGE_HEADER.size + 4 * flag
        if picture_start > len(payload):
            self._damaged(key, f"{len(payload)} bytes are too few for its {flag} labels")
        labels = np.frombuffer(payload, dtype="<f4", count=flag, offset=_IMAGE_HEADER.size)
        return labels.astype(np.float32), payload[picture_start:]

    def _parts(self, key: int, offset: int) -> Iterator[bytes]:
        """The payloads of a record's parts; where one was split, the magic word between them was left out."""
        expected = (_WHOLE, _FIRST)
        while True:
            if offset + _PART.size > len(self._data):
                self._damaged(key, "the file ends within it")
            magic, word = _PART.unpack(self._data[offset : offset + _PART.size].tobytes())
            part, length = word >> _LENGTH_BITS, word & ((1 << _LENGTH_BITS) - 1)
            if magic != _MAGIC or part not in expected:
                self._damaged(key, f"no record begins at byte {offset}")
            start = offset + _PART.size
            if start + length > len(self._data):
                self._damaged(key, "the file ends within it")
            yield self._data[start : start + length].tobytes()
            if part in (_WHOLE, _LAST):
                return
            offset = start + length + -length % 4
            expected = (_MIDDLE, _LAST)

    def _damaged(self, key: int, what: str) -> NoReturn:
        raise FacedistillError(
            f"{self._path} is damaged at record {key}: {what}; copy the set again, or write it again"
        )


class _IdentityRanges:
    """The [first, last) keys of each person's images, as long as every person's images stand together."""

    def __init__(self) -> None:
        self.end = 1
        self._starts: dict[int, int] = {}
        self._current: int | None = None
        self._grouped = True

    def add(self, key: int, number: int | None) -> None:
        """Takes the next image's class number; None for an image that has no single one."""
        self.end = key + 1
        if not self._grouped or number == self._current is not None:
            return
        if number is None or number in self._starts:
            self._grouped = False
            return
        self._starts[number] = key
        self._current = number

    def found(self) -> list[tuple[float, float]]:
        """The ranges in the images' order; none where people are mixed, or where the header could not count them."""
        if not self._grouped or self.end + len(self._starts) > _LARGEST_EXACT:
            return []
        starts = [float(start) for start in self._starts.values()]
        return list(zip(starts, [*starts[1:], float(self.end)], strict=True))


def _checked_class(label: Label, key: int, classes: int | None, folder: Path) -> int:
    """The class number that `label` stands for."""
    if key >= _LARGEST_EXACT:
        raise UsageError(f"cannot write {folder}: RecordIO counts exactly up to {_LARGEST_EXACT}; split the set")
    try:
        first = label if isinstance(label, int | np.integer) else label[0]
        number = int(first)
    except (IndexError, OverflowError, ValueError):
        first, number = -1, -1
    below = _LARGEST_EXACT if classes is None else min(classes, _LARGEST_EXACT)
    if number != first or not 0 <= number < below:
        raise UsageError(
            f"cannot write {folder}: the label of picture {key} is {label}; it must be a whole number in 0..{below - 1}"
        )
    return number


def _image_record(label: Label, identity: int, picture: bytes) -> bytes:
    if isinstance(label, int | np.integer):
        return _IMAGE_HEADER.pack(0, float(label), identity, 0) + picture
    labels = np.asarray(label, dtype="<f4")
    return _IMAGE_HEADER.pack(len(labels), 0.0, identity, 0) + labels.tobytes() + picture


def _append(file: BinaryIO, payload: bytes) -> None:
    """Writes one record; like dmlc, it drops each magic word that begins at a multiple of 4 and splits there."""
    if len(payload) >> _LENGTH_BITS:
        raise UsageError(f"a record of {len(payload)} bytes is too long for RecordIO; its limit is 512 MiB")
    start = search = 0
    while (at := payload.find(_MAGIC, search)) >= 0:
        search = at + 1
        if at % 4 == 0:
            _write_part(file, _MIDDLE if start else _FIRST, payload[start:at])
            start = search = at + len(_MAGIC)
    _write_part(file, _LAST if start else _WHOLE, payload[start:])


def _write_part(file: BinaryIO, part: int, data: bytes) -> None:
    file.write(_PART.pack(_MAGIC, part << _LENGTH_BITS | len(data)) + data + bytes(-len(data) % 4))


def _read_property(path: Path) -> tuple[int, tuple[int, int]]:
    """Classes and (height, width)."""
    try:
        classes, height, width = (int(value) for value in path.read_text(encoding="ascii").split(","))
    except FileNotFoundError:
        raise FacedistillError(
            f"{path} is missing, so the set is incomplete; write the set again, or add the line `classes,height,width`"
        ) from None
    except OSError as error:
        raise FacedistillError(f"cannot read {path}: {error.strerror}") from error
    except ValueError:
        classes = height = width = 0
    if min(classes, height, width) < 1:
        raise FacedistillError(f"{path} is damaged; it must hold one line `classes,height,width`, such as 40,112,96")
    return classes, (height, width)


def _read_index(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Keys, ascending, and their offsets into the record file."""
    mend = "copy it again, or write the set again"
    try:
        table = np.zeros((0, 0), np.int64)
        if path.stat().st_size:
            table = np.loadtxt(path, dtype=np.int64, comments=None, ndmin=2, encoding="ascii")
    except FileNotFoundError:
        raise FacedistillError(f"{path} is missing; {mend}") from None
    except OSError as error:
        raise FacedistillError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise FacedistillError(f"{path} is damaged ({error}); each line must be `key<TAB>offset`; {mend}") from error
    if not len(table) or table.shape[1] != 2:
        raise FacedistillError(f"{path} is damaged; each line must be `key<TAB>offset`; {mend}")
    table = table[np.argsort(table[:, 0], kind="stable")]
    keys, offsets = table[:, 0], table[:, 1]
    if keys[0] < 0 or (keys[1:] == keys[:-1]).any():
        raise FacedistillError(f"{path} is damaged: its keys must be positive and differ; {mend}")
    return keys, offsets
