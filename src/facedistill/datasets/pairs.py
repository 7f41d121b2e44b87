"""Pairs of pictures for 1:1 verification."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import UsageError
from facedistill.pictures import decode_picture, read_picture


@dataclass(frozen=True)
class PairSet:
    """Pictures, and pairs of them that show the same person or not.

    Attributes:
        source: The file the pairs came from.
        pictures: Encoded pictures, or their files; each is decoded when `image` reads it.
        first: int64 [P], the pairs' first pictures as indices into `pictures`.
        second: int64 [P], the pairs' second pictures.
        same: bool [P].
        folds: Of how many consecutive stretches of equal length the list is made, the folds of cross-validation.
    """

    source: str
    pictures: tuple[bytes | Path, ...]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    same: NDArray[np.bool_]
    folds: int = 10

    def __post_init__(self) -> None:
        if not len(self.first) == len(self.second) == len(self.same):
            raise UsageError(f"{self.source}: first, second and same must be of one length")

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.same)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Picture `index`, decoded: uint8 [H, W, 3], RGB.

        Raises:
            UnreadablePicture: It is damaged.
        """
        picture = self.pictures[index]
        if isinstance(picture, Path):
            return read_picture(picture)
        return decode_picture(picture, f"picture {index} of {self.source}")
