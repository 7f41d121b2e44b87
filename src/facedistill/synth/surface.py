"""What every shader asks: how much light reaches a point. Compiled by numba."""

import numpy as np
from numpy.typing import NDArray

from facedistill.synth.compiling import inline, kernel

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

__all__ = ["Floats", "Ints", "clamp", "inline", "kernel", "lit_share", "step_between"]


@inline
def clamp(value: float, low: float, high: float) -> float:
    """A value brought within limits."""
    return low if value < low else (high if value > high else value)


@inline
def step_between(edge0: float, edge1: float, value: float) -> float:
    """0 below edge0, 1 above edge1, smooth between (edge0 may exceed edge1)."""
    t = clamp((value - edge0) / (edge1 - edge0), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


@kernel
def lit_share(x: float, y: float, z: float, plane: Floats, shadow: Floats, bias: float) -> float:
    """Share of the key light that reaches a point: nine looks into the shadow map."""
    u = plane[0, 0] * x + plane[0, 1] * y + plane[0, 2] * z + plane[0, 3]
    v = plane[1, 0] * x + plane[1, 1] * y + plane[1, 2] * z + plane[1, 3]
    d = plane[2, 0] * x + plane[2, 1] * y + plane[2, 2] * z + plane[2, 3] - bias
    side = shadow.shape[0]
    if u < 2.0 or v < 2.0 or u >= side - 3.0 or v >= side - 3.0:
        return 1.0
    column, row = int(u - 0.5), int(v - 0.5)
    fu, fv = u - 0.5 - column, v - 0.5 - row
    total = 0.0
    for j in range(-1, 3):  # a 3x3 box filter with linear weights at its rim
        wj = (1.0 - fv) if j == -1 else (fv if j == 2 else 1.0)
        for i in range(-1, 3):
            wi = (1.0 - fu) if i == -1 else (fu if i == 2 else 1.0)
            if shadow[row + j, column + i] > d:
                total += wi * wj
    return total / 9.0
