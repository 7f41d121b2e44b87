"""A crop out of a viewed picture: where it lies, and which place each of its pixels has."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedistill.errors import UsageError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Matrix = NDArray[np.float64]
"""float64 [3, 3], from pixels (x, y, 1) to pixels; centres at whole numbers."""


@dataclass(frozen=True)
class Cut:
    """A crop of a viewed picture, so that several nets get their own crops of one and the same view.

    Attributes:
        rows: The upper two rows of the matrix from pixels (x, y, 1) of the picture to those of the crop.
        height: Rows of the crop.
        width: Columns of the crop.

    Raises:
        UsageError: The matrix has no inverse, or the crop no pixel.
    """

    rows: tuple[tuple[float, float, float], tuple[float, float, float]]
    height: int
    width: int

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise UsageError(f"a crop must have pixels, got {self.height}x{self.width} (height x width)")
        if not np.isfinite(self.matrix).all() or abs(np.linalg.det(self.matrix)) < 1e-9:
            raise UsageError(f"the matrix of a crop must have an inverse, got {self.rows}")

    @classmethod
    def of(cls, matrix: ArrayLike, height: int, width: int) -> "Cut":
        """The crop of `height` x `width` pixels by a matrix [2, 3] or [3, 3].

        Raises:
            UsageError: The matrix has another shape, or see the class.
        """
        values = np.asarray(matrix, dtype=np.float64)
        if values.shape not in ((2, 3), (3, 3)):
            raise UsageError(f"the matrix of a crop must be [2, 3] or [3, 3], got {list(values.shape)}")
        first, second = (tuple(row) for row in values[:2].tolist())
        return cls((first, second), height, width)

    @classmethod
    def whole(cls, height: int, width: int) -> "Cut":
        """The picture itself."""
        return cls(((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)), height, width)

    @property
    def matrix(self) -> Matrix:
        """float64 [3, 3], from pixels of the picture to those of the crop."""
        return np.array([*self.rows, (0.0, 0.0, 1.0)])

    def is_whole(self, height: int, width: int) -> bool:
        """Whether it is the very picture of `height` x `width` pixels."""
        return self == Cut.whole(height, width)

    def size_of(self, height: int, width: int) -> tuple[float, float]:
        """(width, height) of a picture of `height` x `width` pixels, in pixels of the crop."""
        scale = float(np.sqrt(abs(np.linalg.det(self.matrix))))
        return width * scale, height * scale


@lru_cache(maxsize=16)
def points(cut: Cut, height: int, width: int) -> NDArray[np.float64]:
    """The place of each pixel of a crop in its picture.

    Args:
        cut: The crop.
        height: Rows of the picture.
        width: Columns of the picture.

    Returns:
        float64 [cut.height, cut.width, 2], (x, y) as fractions of the picture's sides; 0 is its left or upper edge, 1
        the other one. Not to be written to.
    """
    back = np.linalg.inv(cut.matrix)
    y, x = np.mgrid[: cut.height, : cut.width].astype(np.float64)
    pixels = np.stack([x, y, np.ones_like(x)], axis=2) @ back[:2].T
    fractions: NDArray[np.float64] = (pixels + 0.5) / (width, height)
    fractions.flags.writeable = False
    return fractions


@lru_cache(maxsize=16)
def points_on(cut: Cut, height: int, width: int, device: "torch.device") -> "Tensor":
    """`points` as float32 on a device."""
    import torch

    return torch.tensor(points(cut, height, width), dtype=torch.float32, device=device)
