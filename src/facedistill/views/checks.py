"""Checks of what the parts of a view give, which may be of another package: each wrong answer is one line."""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import UsageError
from facedistill.views.cut import Matrix
from facedistill.views.part import Geometry, Picture, PixelPart, Warp


def checked_matrix(part: Geometry, matrix: Any, what: str) -> Matrix:
    """Refuses what a geometry of another package may give: anything but a finite matrix that has an inverse.

    Args:
        part: The geometry.
        matrix: What it gives.
        what: What it does so by, for the message: "draws", "has the extreme".

    Raises:
        UsageError: It is no such matrix.
    """
    if not _finite(matrix, (3, 3)) or not 1e-9 < abs(np.linalg.det(matrix)) < np.inf:
        given = list(matrix.shape) if isinstance(matrix, np.ndarray) else type(matrix).__name__
        raise UsageError(f"views: {type(part).__name__} {what} {given}, not a finite matrix [3, 3] that has an inverse")
    return np.asarray(matrix, np.float64)


def checked_extremes(part: Geometry, extremes: Any) -> Sequence[Matrix]:
    """The matrices at the ends of what a geometry may draw.

    Raises:
        UsageError: They are no such matrices, or none.
    """
    if not isinstance(extremes, Sequence) or not extremes:
        raise UsageError(f"views: {type(part).__name__} has the extremes {extremes!r:.40}; give at least one matrix")
    return [checked_matrix(part, matrix, "has the extreme") for matrix in extremes]


def checked_share(part: PixelPart[Any], share: Any) -> float:
    """The share of the first face that a part leaves.

    Raises:
        UsageError: It is no finite number.
    """
    if isinstance(share, bool) or not isinstance(share, Real) or not math.isfinite(share):
        raise UsageError(f"views: {type(part).__name__} gives the share {share!r:.40}, not a finite number")
    return float(share)


def checked_furthest(part: Warp[Any]) -> float:
    """How far a warp may displace a place.

    Raises:
        UsageError: It is no finite number of 0 or more.
    """
    furthest: Any = part.furthest
    if isinstance(furthest, bool) or not isinstance(furthest, Real) or not 0 <= float(furthest) < math.inf:
        raise UsageError(f"views: {type(part).__name__} has furthest {furthest!r:.40}, not a number of 0 or more")
    return float(furthest)


def checked_displacement(part: Warp[Any], moved: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """How far a warp displaces places, float64 [h, w, 2].

    Raises:
        UsageError: It is of another shape, or not finite.
    """
    if not _finite(moved, shape):
        raise UsageError(
            f"views: {type(part).__name__} displaces by {_given(moved)}, not {list(shape)} of finite numbers"
        )
    return np.asarray(moved, np.float64)


def checked_picture(part: PixelPart[Any], changed: Any, shape: tuple[int, ...]) -> Picture:
    """What a part of another package makes of a picture, float32 [h, w, 3].

    Raises:
        UsageError: It is of another shape, or not finite.
    """
    if not _finite(changed, shape):
        raise UsageError(f"views: {type(part).__name__} gives {_given(changed)}, not {list(shape)} of finite numbers")
    return np.asarray(changed, np.float32)


def _finite(values: Any, shape: tuple[int, ...]) -> bool:
    right = isinstance(values, np.ndarray) and values.shape == shape and values.dtype.kind in "fiu"
    return right and bool(np.isfinite(values.sum()))


def _given(values: Any) -> str:
    """What something is, for a message; an array of the right size may hold what is not finite."""
    return f"{values.dtype} {list(values.shape)}" if isinstance(values, np.ndarray) else type(values).__name__


def check_partner(shape: Sequence[int] | None, needed: Sequence[int]) -> None:
    """Raises UsageError unless a second face of the needed shape is there."""
    if shape is None:
        raise UsageError("a view takes something from a second face, and none was given; give it as partner")
    if tuple(shape) != tuple(needed):
        raise UsageError(f"a second face must be {list(needed)} like the first, got {list(shape)}")
