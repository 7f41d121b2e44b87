"""Crops drawn at random."""

import numpy as np


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth_picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """At most four grey levels from one pixel to the next, and no two places alike."""
    y, x = np.mgrid[:height, :width] + 7 * seed
    waves = [np.sin(x / 17 + y / 23), np.cos(x / 29 - y / 19), np.sin(y / 15) * np.cos(x / 37)]
    return np.rint(127.5 + 45 * np.stack(waves, axis=2)).astype(np.uint8)
