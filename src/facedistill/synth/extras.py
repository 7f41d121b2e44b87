"""What comes between a face and the camera now and then: a cap's peak, fingers."""

import numpy as np
from numpy.typing import NDArray

from facedistill.synth.raster import vertex_normals
from facedistill.synth.wearing import Surface

Floats = NDArray[np.float32]

_RINGS, _SIDES = 14, 10


def _grid(points: Floats) -> Surface:
    """A surface through a grid of points [R, C, 3]."""
    rows, columns = points.shape[:2]
    number = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]
    triangles = np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3).astype(np.int32)
    flat = np.ascontiguousarray(points.reshape(-1, 3), np.float32)
    return Surface(flat, vertex_normals(flat, triangles), triangles)


def peak(eyes: Floats) -> Surface:
    """The peak of a cap above the eyes [2, 3]."""
    across, out = np.meshgrid(np.linspace(-1, 1, 13), np.linspace(0, 1, 6), indexing="ij")
    middle = eyes.mean(axis=0)
    round_front = np.sqrt(np.maximum(1 - across**2, 0))
    x = middle[0] + 0.74 * across
    y = middle[1] + 0.50 - 0.10 * across**2 - 0.13 * out
    z = middle[2] - 0.62 + 0.66 * round_front + out * (0.12 + 0.50 * round_front)
    return _grid(np.stack([x, y, z], axis=-1).astype(np.float32))


def fingers(eyes: Floats, nose_z: float, seed: int) -> list[Surface]:
    """Two to four fingers across the lower face or a cheek."""
    rng = np.random.default_rng(seed)
    side = float(rng.choice((-1.0, 1.0)))
    height, reach = float(rng.uniform(-0.95, -0.35)), float(rng.uniform(-0.30, 0.35))
    slope = float(rng.uniform(-0.25, 0.45))
    middle = eyes.mean(axis=0)
    found = []
    for finger in range(int(rng.integers(2, 5))):
        along = np.linspace(0, 1, _RINGS)[:, None]
        tip = reach + 0.10 * abs(finger - 1.3) + float(rng.normal(0, 0.02))
        x = side * (tip + along * (1.25 - tip))
        y = height - 0.165 * finger - slope * along
        z = nose_z - middle[2] - 0.10 - 0.55 * x**2
        around = np.linspace(0, 2 * np.pi, _SIDES + 1)[None]
        radius = 0.082 * np.sqrt(np.clip(along / 0.07, 0.02, 1)) * (1 + 0.06 * np.cos(6.3 * along * 2.2))
        tube = np.stack([x + 0 * around, y + radius * np.cos(around), z - side * radius * np.sin(around)], axis=-1)
        found.append(_grid((tube + middle).astype(np.float32)))
    return found
