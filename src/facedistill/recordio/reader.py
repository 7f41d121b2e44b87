"""Reading the records of a set."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import FacedistillError
from facedistill.recordio import layout
from facedistill.recordio.index import cached, read_index

_LABEL_BATCH = 1 << 16
_MOST_NAMED = 5
_LARGEST = 1 << 31
_CACHED_FROM = 1 << 20  # records; reading the headers of fewer takes no time worth a file


def find_records(folder: Path) -> Path | None:
    """The record file of the set in a folder: `train.rec`, or the only file `*.rec`; None where there is none.

    Raises:
        FacedistillError: There are several, none of which is `train.rec`.
    """
    usual = Path(folder) / layout.RECORDS
    if usual.exists():
        return usual
    found = sorted(path for path in Path(folder).glob(f"*{layout.RECORDS_SUFFIX}") if not path.name.startswith("."))
    if len(found) > 1:
        names = ", ".join(path.name for path in found[:_MOST_NAMED])
        raise FacedistillError(f"{folder} holds several sets ({names}); give each a folder of its own")
    return found[0] if found else None


class RecordFile:
    """Random access to the image records of a set, by memory map; holds no picture in memory.

    Of a long set the index and the labels are kept in the cache folder and mapped too.

    Sets without an index header (plain im2rec sets) open too: all their records are images.

    A set is `train.rec`, `train.idx` and `property`, or the one `NAME.rec` of its folder, `NAME.idx` and `property`.

    Attributes:
        folder: Where the set lies.
        records: The record file.
        index: The index file.
        classes: Number of people, from `property`.
        size: (height, width) of the pictures, from `property`.
        keys: int64 [N], the images' keys in the index, ascending.

    Raises:
        FacedistillError: A file is missing, empty or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.classes, self.size = _read_property(self.folder / layout.PROPERTY)
        self.records = find_records(self.folder) or self.folder / layout.RECORDS
        self.index = self.records.with_suffix(layout.INDEX_SUFFIX)
        try:
            self._data = np.memmap(self.records, dtype=np.uint8, mode="r")
        except FileNotFoundError:
            raise FacedistillError(f"{self.records} is missing; copy it again, or write the set again") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "the file is empty"
            raise FacedistillError(
                f"cannot open {self.records}: {reason}; copy it again, or write the set again"
            ) from error
        keys, offsets = read_index(self.index)
        outside = (offsets < 0) | (offsets % 4 != 0) | (offsets > len(self._data) - layout.PART.size)
        if outside.any():
            self._damaged(keys[outside][0], f"its offset {offsets[outside][0]} lies outside the file's records")
        self._starts = self._ascending(keys, offsets)
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
        return self._read_labels() if len(self) < _CACHED_FROM else cached("labels", self.records, self._read_labels)

    def _read_labels(self) -> NDArray[np.float32]:
        batches = range(0, len(self), _LABEL_BATCH)
        return np.concatenate([self._labels_from(slice(first, first + _LABEL_BATCH)) for first in batches])

    def _labels_from(self, batch: slice) -> NDArray[np.float32]:
        """The labels of a batch at once; records whose header is split or damaged are read one by one."""
        head = layout.PART.size + layout.IMAGE_HEADER.size + 4
        offsets = self._offsets[batch]
        # Bytes behind the file's end only occur where the slow path decides.
        at = np.minimum(offsets[:, None] + np.arange(head), len(self._data) - 1)
        words = np.ascontiguousarray(self._data[at]).view("<u4")
        part, length = words[:, 1] >> layout.LENGTH_BITS, words[:, 1] & ((1 << layout.LENGTH_BITS) - 1)
        flag, single, first = words[:, 2], words[:, 3].view("<f4"), words[:, 8].view("<f4")
        labels = np.where(flag > 0, first, single).astype(np.float32)
        header = layout.IMAGE_HEADER.size + 4 * flag.astype(np.int64)
        fits = (length >= header) & (offsets + layout.PART.size + length <= len(self._data))
        plain = (words[:, 0] == int.from_bytes(layout.MAGIC, "little")) & (part <= layout.FIRST) & fits
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
        end = self._end_of_images(header[0], keys, offsets) if np.isfinite(header[0]) else 0
        first, last = np.searchsorted(keys, (1, max(end, 1)))
        if end < 2 or last - first != end - 1:
            self._damaged(0, f"the header announces {max(end - 1, 0)} images, {self.index.name} lists {last - first}")
        return keys[first:last], offsets[first:last]

    def _ascending(self, keys: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where each record begins, in their order in the file; a record ends where the next one begins."""
        starts = offsets if (offsets[1:] > offsets[:-1]).all() else np.sort(offsets)
        if len(twice := starts[1:][starts[1:] == starts[:-1]]):
            named = keys[offsets == twice[0]][:2].tolist()
            self._damaged(named[0], f"record {named[1]} begins at the same byte {twice[0]}")
        return starts

    def _end_of_images(self, stated: np.float32, keys: NDArray[np.int64], offsets: NDArray[np.int64]) -> int:
        """The key after the last image's; beyond 2^24 the header's float32 is rounded, so the records decide."""
        rounding = int(np.spacing(stated)) // 2
        if rounding < 1 or stated < 0:
            return int(stated)
        first, last = np.searchsorted(keys, (int(stated) - rounding, int(stated) + rounding + 1))
        for place in range(int(first), int(last)):
            if not self._image(int(keys[place]), int(offsets[place]))[1]:
                return int(keys[place])
        end = int(keys[-1]) + 1  # of a set without identity records
        return end if abs(end - int(stated)) <= rounding else int(stated)

    def _image(self, key: int, offset: int) -> tuple[float | NDArray[np.float32], bytes]:
        payload = layout.MAGIC.join(self._parts(key, offset))
        if len(payload) < layout.IMAGE_HEADER.size:
            self._damaged(key, f"{len(payload)} bytes are too few for an image header")
        flag, label, _, _ = layout.IMAGE_HEADER.unpack_from(payload)
        if not flag:
            return float(label), payload[layout.IMAGE_HEADER.size :]
        picture_start = layout.IMAGE_HEADER.size + 4 * flag
        if picture_start > len(payload):
            self._damaged(key, f"{len(payload)} bytes are too few for its {flag} labels")
        labels = np.frombuffer(payload, dtype="<f4", count=flag, offset=layout.IMAGE_HEADER.size)
        return labels.astype(np.float32), payload[picture_start:]

    def _parts(self, key: int, offset: int) -> Iterator[bytes]:
        """The payloads of a record's parts; where one was split, the magic word between them was left out."""
        expected = (layout.WHOLE, layout.FIRST)
        following = int(np.searchsorted(self._starts, offset, "right"))
        # Else records that run into each other would be read in quadratic time.
        end = int(self._starts[following]) if following < len(self._starts) else len(self._data)
        what = "the next record begins within it" if following < len(self._starts) else "the file ends within it"
        while True:
            if offset + layout.PART.size > end:
                self._damaged(key, what)
            magic, word = layout.PART.unpack(self._data[offset : offset + layout.PART.size].tobytes())
            part, length = word >> layout.LENGTH_BITS, word & ((1 << layout.LENGTH_BITS) - 1)
            if magic != layout.MAGIC or part not in expected:
                self._damaged(key, f"no record begins at byte {offset}")
            start = offset + layout.PART.size
            if start + length > end:
                self._damaged(key, what)
            yield self._data[start : start + length].tobytes()
            if part in (layout.WHOLE, layout.LAST):
                return
            offset = start + length + -length % 4
            expected = (layout.MIDDLE, layout.LAST)

    def _damaged(self, key: int, what: str) -> NoReturn:
        raise FacedistillError(
            f"{self.records} is damaged at record {key}: {what}; copy the set again, or write it again"
        )


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
    if min(classes, height, width) < 1 or max(classes, height, width) > _LARGEST:
        raise FacedistillError(f"{path} is damaged; it must hold one line `classes,height,width`, such as 40,112,96")
    return classes, (height, width)
