"""The peak of a cap."""

import numpy as np

from facedistill.synth.arrays import Floats
from facedistill.synth.clothing import Mesh
from facedistill.synth.grids import grid_mesh


def peak(eyes: Floats) -> Mesh:
    """The peak of a cap above the eyes [2, 3]."""
    across, out = np.meshgrid(np.linspace(-1, 1, 13), np.linspace(0, 1, 6), indexing="ij")
    middle = eyes.mean(axis=0)
    round_front = np.sqrt(np.maximum(1 - across**2, 0))
    x = middle[0] + 0.74 * across
    y = middle[1] + 0.50 - 0.10 * across**2 - 0.13 * out
    z = middle[2] - 0.62 + 0.66 * round_front + out * (0.12 + 0.50 * round_front)
    return grid_mesh(np.stack([x, y, z], axis=-1).astype(np.float32))
