"""A face set with another, narrower crop."""

import hashlib
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets.face import Face, FaceSet
from facedistill.errors import UsageError
from facedistill.faces import recrop, shown_share

_WHOLE = 0.999


class RecroppedFaces:
    """The faces of a set, each cut to another size when it is read.

    Attributes:
        source: The set as it is stored.
        size: (height, width) of every picture.

    Raises:
        UsageError: The stored crops do not show all of what is wanted.
    """

    def __init__(self, source: FaceSet, size: tuple[int, int]) -> None:
        self.source = source
        self.size = size
        if (shown := shown_share(source.size, size)) < _WHOLE:
            raise UsageError(
                f"crops of {source.size[0]}x{source.size[1]} show {shown:.0%} of one of {size[0]}x{size[1]}"
            )

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Face:
        face = self.source[index]
        return Face(recrop(face.image, self.size), face.label, face.key)

    @property
    def labels(self) -> NDArray[np.int64]:
        """int64 [N]."""
        return self.source.labels

    @property
    def classes(self) -> int:
        """Number of people."""
        return self.source.classes

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the stored set's digest and the size."""
        return hashlib.sha256(f"{self.source.digest} {self.size}".encode()).hexdigest()
