"""Brings a face into a crop: a similarity from its five landmarks to the convention's template."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from facedistill.errors import FacedistillError, UsageError
from facedistill.faces.crops import CROP_112X112, crop_convention

Floats = NDArray[np.float64]

_FINEST = 64  # samples per side of a crop's pixel: enough for a face of 7,000 pixels
_ROUNDING = 1e-6  # a scale this close to 1 is 1
_LONGEST = 32_767  # OpenCV counts the pixels of a side in 16 bits


def similarity_transform(source: NDArray[np.floating], target: NDArray[np.floating]) -> Floats:
    """The similarity (rotation, one scale, shift; no reflection) that takes `source` nearest to `target`.

    Least squares in closed form: Umeyama 1991, "Least-squares estimation of transformation parameters between two
    point patterns", equations 40-42.

    Args:
        source: [n, 2] points (x, y), n >= 2.
        target: [n, 2] points they should meet.

    Returns:
        float64 [2, 3], M with target ~ source @ M[:, :2].T + M[:, 2].

    Raises:
        UsageError: Shapes that do not fit, or numbers that are not finite.
        FacedistillError: The points fix no similarity: all sources, or all targets, coincide.
    """
    x, y = np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != 2 or len(x) < 2 or x.shape != y.shape:
        raise UsageError(f"points must be two arrays [n, 2], n >= 2, got {list(x.shape)} and {list(y.shape)}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise UsageError("points must be finite numbers, got NaN or infinity")
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    a, b = x - x_mean, y - y_mean
    if any(np.abs(centred).max() <= 1e-9 * max(1.0, np.abs(points).max()) for centred, points in ((a, x), (b, y))):
        raise FacedistillError("landmarks coincide, so they give no direction or size; look for the face again")
    u, singular, vt = np.linalg.svd(b.T @ a)
    signs = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])  # -1 where the best fit would mirror
    linear = (singular @ signs) / (a**2).sum() * (u * signs) @ vt
    if not np.linalg.det(linear) > 0:
        raise FacedistillError("landmarks are mirrored evenly, so no rotation fits them best; look for the face again")
    return np.column_stack([linear, y_mean - linear @ x_mean])


def align(
    image: NDArray[np.uint8], landmarks: NDArray[np.floating], size: tuple[int, int] = (112, 96)
) -> NDArray[np.uint8]:
    """Cuts the aligned crop of a face.

    The picture is sampled bilinearly. Where the face is larger than in the crop, each pixel of the crop is the mean
    of a grid of samples at least as dense as the picture's pixels, so that nothing aliases. Beyond the picture its
    border pixels go on.

    Args:
        image: uint8 [H, W, 3], RGB.
        landmarks: [5, 2], x and y in pixels of the image, in the order of `Detection.landmarks`.
        size: (height, width) of a crop convention.

    Returns:
        uint8 [height, width, 3], RGB.

    Raises:
        UsageError: No convention has that size, or the image or landmarks have another shape or dtype.
        FacedistillError: The landmarks coincide.
    """
    if np.shape(landmarks) != (5, 2):
        raise UsageError(f"landmarks must be [5, 2], got {list(np.shape(landmarks))}")
    return _warp(image, similarity_transform(landmarks, crop_convention(size).template), size)


def crop_matrix(present: tuple[int, int], wanted: tuple[int, int]) -> Floats:
    """From pixels (x, y, 1) of a crop of one convention to those of another: float64 [2, 3].

    Args:
        present: (height, width) of the crop there is.
        wanted: (height, width) of the crop that is wanted.

    Raises:
        UsageError: No convention has the one size or the other.
    """
    return similarity_transform(crop_convention(present).template, crop_convention(wanted).template)


def recrop(crop: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Turns a crop of one convention into a crop of another.

    What the old crop does not show is filled by going on with its border pixels.

    Args:
        crop: uint8 [H, W, 3] of a known convention.
        size: (height, width) of the convention that is wanted.

    Raises:
        UsageError: No convention has the one size or the other, or the crop has another shape or dtype.
    """
    _check(crop)
    present = (crop.shape[0], crop.shape[1])
    matrix = crop_matrix(present, size)
    return crop.copy() if present == size else _warp(crop, matrix, size)


def shown_rows(size: tuple[int, int]) -> float:
    """How many rows of the aligned 112-row window a crop of (height, width) is high: 112, 128 or 103.0.

    Raises:
        UsageError: No convention has that size.
    """
    matrix = crop_matrix(size, CROP_112X112.size)
    return float(size[0] * math.sqrt(np.linalg.det(matrix[:, :2])))


def shown_share(present: tuple[int, int], wanted: tuple[int, int]) -> float:
    """How much of a crop of one convention a crop of another shows; `recrop` fills the rest.

    Args:
        present: (height, width) of the crop there is.
        wanted: (height, width) of the crop that is wanted.

    Returns:
        The share of the wanted crop's pixels, 0..1, whose centres lie in the present one.

    Raises:
        UsageError: No convention has the one size or the other.
    """
    matrix = crop_matrix(present, wanted)
    rows, columns = np.mgrid[: wanted[0], : wanted[1]]
    centres = np.stack([columns.ravel(), rows.ravel()], axis=1) - matrix[:, 2]
    x, y = np.linalg.solve(matrix[:, :2], centres.T)
    inside = (x >= -0.5) & (x <= present[1] - 0.5) & (y >= -0.5) & (y <= present[0] - 0.5)
    return float(inside.mean())


def _check(image: NDArray[np.uint8]) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise UsageError(f"image must be uint8 [H, W, 3] (RGB), got {image.dtype} {list(image.shape)}")
    if max(image.shape) > _LONGEST:
        raise UsageError(f"no side of an image may exceed {_LONGEST} pixels, got {list(image.shape)}; scale it down")


def _warp(image: NDArray[np.uint8], matrix: Floats, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Applies the similarity `matrix` [2, 3] to a picture and cuts (height, width) at the origin."""
    _check(image)
    height, width = size
    scale = math.sqrt(np.linalg.det(matrix[:, :2]))
    dense = min(max(math.ceil(1 / scale - _ROUNDING), 1), _FINEST)
    # Pixel centres: x in the crop is at dense * (x + 0.5) - 0.5 among the samples.
    fine = matrix * dense
    fine[:, 2] += (dense - 1) / 2
    samples = cv2.warpAffine(
        image, fine, (width * dense, height * dense), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(cv2.resize(samples, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
