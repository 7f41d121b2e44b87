"""Blurring, shrinking and enlarging along one axis as matrices, the way OpenCV does them."""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

_CUBIC = -0.75  # a of the cubic convolution (Keys 1981), as OpenCV has it


def shrink_matrix(size: int, small: int, sigma: float) -> Matrix:
    """A Gaussian and the mean over the area that each small pixel covers, float64 [small, size].

    Args:
        size: Pixels of the axis.
        small: Pixels that are left, 1..size.
        sigma: Width of the Gaussian in small pixels; 0 leaves it out.
    """
    edges = np.arange(small + 1)[:, None] * size / small
    pixels = np.arange(size)
    covered = np.minimum(edges[1:], pixels + 1) - np.maximum(edges[:-1], pixels)
    areas: Matrix = covered.clip(0) * small / size
    return areas @ _blur_matrix(size, sigma * size / small) if sigma else areas


def enlarge_matrix(small: int, size: int) -> Matrix:
    """Cubic convolution, float64 [size, small]; pixel centres at halves, the border is repeated."""
    at = (np.arange(size) + 0.5) * small / size - 0.5
    first = np.floor(at).astype(int)
    matrix = np.zeros((size, small))
    for step in range(-1, 3):
        d = np.abs(at - first - step)
        near = (_CUBIC + 2) * d**3 - (_CUBIC + 3) * d**2 + 1
        far = _CUBIC * (d**3 - 5 * d**2 + 8 * d - 4)
        np.add.at(matrix, (np.arange(size), np.clip(first + step, 0, small - 1)), np.where(d <= 1, near, far))
    return matrix


def _blur_matrix(size: int, sigma: float) -> Matrix:
    """A Gaussian, float64 [size, size]; the picture is reflected outwards, the border pixel not repeated."""
    reach = (round(8 * sigma + 1) | 1) // 2  # the kernel's size as OpenCV chooses it for floats
    steps = np.arange(-reach, reach + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    period = max(2 * (size - 1), 1)
    places = (np.arange(size)[:, None] + steps) % period
    places = np.where(places < size, places, period - places)
    matrix = np.zeros((size, size))
    np.add.at(matrix, (np.arange(size)[:, None], places), weights / weights.sum())
    return matrix
