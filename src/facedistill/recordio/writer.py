"""Writing a set of records."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np

from facedistill.checks import check_count, check_size
from facedistill.errors import UsageError
from facedistill.files import atomic_path, write_text
from facedistill.recordio import layout

Label: TypeAlias = int | Sequence[float]

# The index header counts records, and an image record its label, in float32: whole numbers beyond this are rounded.
_LARGEST_EXACT = 1 << 24


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
    check_size("size", size)
    if classes is not None:
        check_count("classes", classes)
    ranges = _IdentityRanges()
    largest = 0
    with atomic_path(folder / layout.RECORDS) as records_path, atomic_path(folder / layout.INDEX) as index_path:
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
        (folder / layout.PROPERTY).unlink(missing_ok=True)
    write_text(folder / layout.PROPERTY, f"{largest + 1 if classes is None else classes},{size[0]},{size[1]}\n")


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
    except (IndexError, OverflowError, TypeError, ValueError):
        first, number = -1, -1
    below = _LARGEST_EXACT if classes is None else min(classes, _LARGEST_EXACT)
    if number != first or not 0 <= number < below:
        raise UsageError(
            f"cannot write {folder}: the label of picture {key} is {label}; it must be a whole number in 0..{below - 1}"
        )
    return number


def _image_record(label: Label, identity: int, picture: bytes) -> bytes:
    if isinstance(label, int | np.integer):
        return layout.IMAGE_HEADER.pack(0, float(label), identity, 0) + picture
    labels = np.asarray(label, dtype="<f4")
    return layout.IMAGE_HEADER.pack(len(labels), 0.0, identity, 0) + labels.tobytes() + picture


def _append(file: BinaryIO, payload: bytes) -> None:
    """Writes one record; like dmlc, it drops each magic word that begins at a multiple of 4 and splits there."""
    if len(payload) >> layout.LENGTH_BITS:
        raise UsageError(f"a record of {len(payload)} bytes is too long for RecordIO; its limit is 512 MiB")
    start = search = 0
    while (at := payload.find(layout.MAGIC, search)) >= 0:
        search = at + 1
        if at % 4 == 0:
            _write_part(file, layout.MIDDLE if start else layout.FIRST, payload[start:at])
            start = search = at + len(layout.MAGIC)
    _write_part(file, layout.LAST if start else layout.WHOLE, payload[start:])


def _write_part(file: BinaryIO, part: int, data: bytes) -> None:
    file.write(layout.PART.pack(layout.MAGIC, part << layout.LENGTH_BITS | len(data)) + data + bytes(-len(data) % 4))
