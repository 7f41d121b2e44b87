"""Functions that the shaders share. Compiled by numba."""

import math

from facedistill.synth.arrays import Floats
from facedistill.synth.compiling import inline, kernel


@inline
def clamp(value: float, low: float, high: float) -> float:
    """`value` limited to low..high."""
    return low if value < low else (high if value > high else value)


@inline
def step_between(edge0: float, edge1: float, value: float) -> float:
    """0 below edge0, 1 above edge1, smooth between (edge0 may exceed edge1)."""
    t = clamp((value - edge0) / (edge1 - edge0), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


@inline
def unit(x: float, y: float, z: float, tiny: float) -> tuple[float, float, float]:
    """A vector over its length, to which `tiny` is added."""
    length = math.sqrt(x * x + y * y + z * z) + tiny
    return x / length, y / length, z / length


@kernel
def light_visibility(x: float, y: float, z: float, projection: Floats, shadow: Floats, bias: float) -> float:
    """Share of the key light that reaches a point, by percentage-closer filtering (3x3) of the shadow map."""
    u = projection[0, 0] * x + projection[0, 1] * y + projection[0, 2] * z + projection[0, 3]
    v = projection[1, 0] * x + projection[1, 1] * y + projection[1, 2] * z + projection[1, 3]
    d = projection[2, 0] * x + projection[2, 1] * y + projection[2, 2] * z + projection[2, 3] - bias
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
