"""Procedural noise for skin, hair and backgrounds."""

import cv2
import numpy as np

from facedistill.synth.arrays import Floats


def cloud(rng: np.random.Generator, rows: int, columns: int, coarse: float, octaves: int = 4) -> Floats:
    """Fractal noise, float32 [rows, columns], mean 0, standard deviation 1, periodic in both directions.

    Args:
        rng: Source of randomness.
        rows: Height, pixels.
        columns: Width, pixels.
        coarse: Wavelength of the first octave, pixels.
        octaves: Number of octaves; each has half the wavelength and .6 of the amplitude of the one before.
    """
    total = np.zeros((rows, columns), np.float32)
    strength = 1.0
    for octave in range(octaves):
        cell = max(coarse / 2**octave, 1.0)
        small = (max(int(rows / cell), 2), max(int(columns / cell), 2))
        grid = rng.standard_normal(small).astype(np.float32)
        total += strength * _enlarge_round(grid, rows, columns)
        strength *= 0.6
    total -= total.mean()
    return np.asarray(total / (total.std() + 1e-6), np.float32)


def streaks(rng: np.random.Generator, rows: int, columns: int, length: float, width: float = 1.0) -> Floats:
    """Noise of vertical strands of a mean `length` and `width` in pixels, float32 [rows, columns], 0..1."""
    grid = rng.random((max(int(rows / length), 2), max(int(columns / width), 2))).astype(np.float32)
    drawn = _enlarge_round(grid, rows, columns)
    low, high = np.percentile(drawn, [2, 98])
    return np.asarray(np.clip((drawn - low) / (high - low), 0, 1), np.float32)


def _enlarge_round(grid: Floats, rows: int, columns: int) -> Floats:
    """A small grid enlarged to [rows, columns] with periodic boundaries."""
    wide = np.pad(grid, 2, mode="wrap")
    y = (np.arange(rows, dtype=np.float32) + 0.5) * grid.shape[0] / rows + 1.5
    x = (np.arange(columns, dtype=np.float32) + 0.5) * grid.shape[1] / columns + 1.5
    across, down = np.meshgrid(x, y)
    enlarged = cv2.remap(wide, across, down, interpolation=cv2.INTER_CUBIC)
    return enlarged.astype(np.float32)
