"""Soft masks, and the window of an array that a mask covers."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from facedistill.synth.arrays import Floats


def smooth_step(low: float, high: float, value: NDArray[np.floating]) -> Floats:
    """0 below `low`, 1 above `high`, a cubic between; falling where low > high. Same shape as `value`."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def gaussian(x: Floats, y: Floats, centre: tuple[float, float], sigma: tuple[float, float]) -> Floats:
    """A Gaussian with axis-parallel axes, 1 at its centre. Same shape as `x` and `y`."""
    return np.exp(-0.5 * (((x - centre[0]) / sigma[0]) ** 2 + ((y - centre[1]) / sigma[1]) ** 2)).astype(np.float32)


def near_curve(x: Floats, y: Floats, knots: list[tuple[float, float]], width: float) -> Floats:
    """1 on a polyline through `knots`, falling off with sigma `width` (decimetres) and towards its ends."""
    best = np.zeros_like(x)
    segments = len(knots) - 1
    for number, ((x0, y0), (x1, y1)) in enumerate(pairwise(knots)):
        dx, dy = x1 - x0, y1 - y0
        t = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
        away = np.hypot(x - x0 - t * dx, y - y0 - t * dy)
        along = (number + t) / segments
        fade = np.minimum(1, 4 * np.minimum(along + 0.1, 1.1 - along))
        best = np.maximum(best, np.exp(-0.5 * (away / width) ** 2) * fade)
    return best.astype(np.float32)


def bounding_window(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns of the smallest window that holds all true pixels of `mask` [R, C]."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
