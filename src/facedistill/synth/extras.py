"""The peak of a cap."""

import numpy as np
from numpy.typing import NDArray

from facedistill.synth.grids import grid_surface
from facedistill.synth.wearing import Surface

Floats = NDArray[np.float32]


def peak(eyes: Floats) -> Surface:
    """The peak of a cap above the eyes [2, 3]."""
    across, out = np.meshgrid(np.linspace(-1, 1, 13), np.linspace(0, 1, 6), indexing="ij")
    middle = eyes.mean(axis=0)
    round_front = np.sqrt(np.maximum(1 - across**2, 0))
    x = middle[0] + 0.74 * across
    y = middle[1] + 0.50 - 0.10 * across**2 - 0.13 * out
    z = middle[2] - 0.62 + 0.66 * round_front + out * (0.12 + 0.50 * round_front)
    return grid_surface(np.stack([x, y, z], axis=-1).astype(np.float32))
