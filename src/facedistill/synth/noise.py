"""Patterns without a pattern: the noises that skin, hair and walls are made of."""

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def cloud(rng: np.random.Generator, rows: int, columns: int, coarse: float, octaves: int = 4) -> Floats:
    """Fractal noise, float32 [rows, columns], mean 0, standard deviation 1.

    Args:
        rng: Source of randomness.
        rows, columns: Size.
        coarse: Size of the largest blotches, pixels.
        octaves: Each one is half as large and .6 as strong as the one before.
    """
    total = np.zeros((rows, columns), np.float32)
    strength = 1.0
    for octave in range(octaves):
        cell = max(coarse / 2**octave, 1.0)
        small = (max(int(rows / cell), 1) + 3, max(int(columns / cell), 1) + 3)
        grid = rng.standard_normal(small).astype(np.float32)
        total += strength * cv2.resize(grid, (columns, rows), interpolation=cv2.INTER_CUBIC)
        strength *= 0.6
    total -= total.mean()
    return (total / (total.std() + 1e-6)).astype(np.float32)


def streaks(rng: np.random.Generator, rows: int, columns: int, length: float, width: float = 1.0) -> Floats:
    """Noise drawn out along the rows' direction (downwards), as strands are: 0..1, float32 [rows, columns]."""
    grid = rng.random((max(int(rows / length), 1) + 2, max(int(columns / width), 2))).astype(np.float32)
    drawn = cv2.resize(grid, (columns, rows), interpolation=cv2.INTER_LINEAR)
    low, high = np.percentile(drawn, [2, 98])
    return np.clip((drawn - low) / (high - low), 0, 1).astype(np.float32)
