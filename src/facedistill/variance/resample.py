"""The way to a low-resolution picture and back, by OpenCV for one crop and by matrices for a batch."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from facedistill.errors import UsageError
from facedistill.variance.checks import Crop, as_crop
from facedistill.variance.matrices import enlarge_matrix, shrink_matrix

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class SmallSize(NamedTuple):
    """What a crop is shrunk to.

    Attributes:
        rows: Rows of the low-resolution picture.
        columns: Its columns.
        sigma: Width of the Gaussian before shrinking, in low-resolution pixels; 0 leaves it out.
    """

    rows: int
    columns: int
    sigma: float


def columns_of(rows: int, height: int, width: int) -> int:
    """The columns that keep the crop's proportion, rounded, at least 1."""
    return max(1, round(width * rows / height))


def check_fit(size: SmallSize, height: int, width: int) -> None:
    """Raises UsageError where `size` exceeds the crop."""
    if size.rows > height or size.columns > width:
        raise UsageError(f"a crop of {height}x{width} (height x width) cannot be shrunk to {size.rows}x{size.columns}")


def shrink(picture: NDArray[np.float32], size: SmallSize) -> NDArray[np.float32]:
    """Blurs and shrinks by area float32 [H, W, 3], which is overwritten; the answer is not rounded."""
    height, width = picture.shape[:2]
    if size.sigma:
        sigma_x, sigma_y = size.sigma * width / size.columns, size.sigma * height / size.rows
        cv2.GaussianBlur(picture, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y, dst=picture)
    small = cv2.resize(picture, (size.columns, size.rows), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float32)


def enlarge(small: Crop, height: int, width: int) -> Crop:
    """Enlarges uint8 [rows, columns, 3] by bicubic interpolation."""
    return as_crop(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))


def shrink_batch(crops: "Tensor", sizes: Sequence[SmallSize]) -> "Tensor":
    """`shrink` of each crop.

    Args:
        crops: float32 [N, 3, H, W].
        sizes: N sizes.

    Returns:
        float32 [N, 3, R, C], not rounded, with room for the largest size; beyond a crop's own it is 0.
    """
    height, width = crops.shape[2:]
    rows, columns = _room(size.rows for size in sizes), _room(size.columns for size in sizes)
    down = _stack([_shrinking(height, size.rows, size.sigma, rows, crops.device) for size in sizes])
    across = _stack([_shrinking(width, size.columns, size.sigma, columns, crops.device) for size in sizes])
    return down @ crops @ across.mT


def enlarge_batch(small: "Tensor", sizes: Sequence[SmallSize], height: int, width: int) -> "Tensor":
    """`enlarge` of each picture that `shrink_batch` gave: float32 [N, 3, height, width], not rounded."""
    rows, columns = small.shape[2:]
    down = _stack([_enlarging(size.rows, height, rows, small.device) for size in sizes])
    across = _stack([_enlarging(size.columns, width, columns, small.device) for size in sizes])
    return down @ small @ across.mT


def _room(sizes: Iterable[int]) -> int:
    """Pixels that hold the largest size; few different ones, so that few matrices are made."""
    return -(-max(sizes) // 8) * 8


@lru_cache(maxsize=4096)  # of 22 kB each for a crop of 112 pixels and up to 48 small ones
def _shrinking(size: int, small: int, sigma: float, room: int, device: "torch.device") -> "Tensor":
    import torch

    matrix = np.zeros((room, size), dtype=np.float32)
    matrix[:small] = shrink_matrix(size, small, sigma)
    return torch.from_numpy(matrix).to(device)


@lru_cache(maxsize=2048)
def _enlarging(small: int, size: int, room: int, device: "torch.device") -> "Tensor":
    import torch

    matrix = np.zeros((size, room), dtype=np.float32)
    matrix[:, :small] = enlarge_matrix(small, size)
    return torch.from_numpy(matrix).to(device)


def _stack(matrices: Sequence["Tensor"]) -> "Tensor":
    """[N, 1, rows, columns], or [1, 1, rows, columns] where all are one and the same."""
    import torch

    first = matrices[0]
    alike = all(matrix is first for matrix in matrices)
    return first[None, None] if alike else torch.stack(list(matrices))[:, None]
