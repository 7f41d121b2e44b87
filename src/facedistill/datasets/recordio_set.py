"""Face sets in RecordIO, the field's own format."""

import hashlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedistill.checks import check_count, check_size
from facedistill.datasets.face import Face, FaceSet, check_face
from facedistill.errors import FacedistillError, UsageError
from facedistill.files import file_digest
from facedistill.pictures import UnreadablePicture, decode_picture, encode_picture
from facedistill.recordio import PROPERTY, RecordFile, write_records


class RecordFaces:
    """A face set in RecordIO; its keys are the records' numbers.

    Attributes:
        folder: Holds `train.rec`, `train.idx` and `property`; see `RecordFile` for other names.
        classes: Number of people.
        size: (height, width) of every picture.

    Raises:
        FacedistillError: A file is missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._records = RecordFile(folder)
        self.folder, self.classes, self.size = Path(folder), self._records.classes, self._records.size

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Face:
        """Decodes one face.

        Raises:
            UnreadablePicture: The picture is damaged or has another size than `property` states.
            FacedistillError: The record is damaged, or its label is no person's number.
        """
        label, data = self._records[index]
        key = str(self._records.keys[index])
        source = f"record {key} of {self._records.records}"
        image = decode_picture(data, source)
        if image.shape[:2] != self.size:
            raise UnreadablePicture(
                f"{source} is {image.shape[0]}x{image.shape[1]} (height x width), "
                f"but {PROPERTY} states {self.size[0]}x{self.size[1]}; correct {PROPERTY}, or prepare the set again"
            )
        first = label if isinstance(label, float) else label[0]
        return Face(image, int(self._numbers(np.array([first]), [key])[0]), key)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """int64 [N]."""
        return self._numbers(self._records.labels, self._records.keys)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the three files."""
        paths = (self._records.records, self._records.index, self.folder / PROPERTY)
        files = "".join(file_digest(path) for path in paths)
        return hashlib.sha256(files.encode()).hexdigest()

    def _numbers(self, labels: NDArray[np.float32], keys: NDArray[np.int64] | list[str]) -> NDArray[np.int64]:
        good = (labels >= 0) & (labels < self.classes) & (labels == np.floor(labels))
        if not good.all():
            wrong = int(np.argmin(good))
            raise FacedistillError(
                f"record {keys[wrong]} of {self._records.records} has the label {labels[wrong]:g}, "
                f"but {PROPERTY} allows 0..{self.classes - 1}; correct {PROPERTY}, or write the set again"
            )
        return labels.astype(np.int64)


def write_face_set(
    path: Path | str,
    faces: Iterable[Face] | FaceSet,
    size: tuple[int, int] | None = None,
    extension: str = ".jpg",
    quality: int = 95,
) -> None:
    """Writes faces as RecordIO; they are streamed, and the set is whole or absent.

    Keys are not kept: RecordIO numbers its records. A set that stands at `path` is replaced.

    Args:
        path: The set's folder, made when missing.
        faces: A face set, or faces one after the other. Faces that stand together by label let other programs
            find each person's records.
        size: (height, width) that every face must have; None takes the first face's.
        extension: ".jpg", ".png" (lossless) or ".webp".
        quality: 1..100, for JPEG and WebP.

    Raises:
        UsageError: There are no faces, or one has another size.
        FacedistillError: The files cannot be written, or a face of `faces` cannot be read.
    """
    check_count("quality", quality, 1, 100)
    if size is not None:
        check_size("size", size)
    each = iter(faces) if isinstance(faces, Iterable) else (faces[index] for index in range(len(faces)))
    first = next(each, None)
    if first is None:
        raise UsageError(f"cannot write {path}: there are no faces to write")
    height, width = size or first.image.shape[:2]

    def records() -> Iterator[tuple[int, bytes]]:
        for face in chain([first], each):
            check_face(face, (height, width))
            yield face.label, encode_picture(face.image, extension, quality)

    write_records(Path(path), records(), (height, width), getattr(faces, "classes", None))
