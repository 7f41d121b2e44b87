"""Triangle meshes, and surfaces through grids of points."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from facedistill.synth.arrays import Floats, Ints
from facedistill.synth.raster import vertex_normals


@dataclass(frozen=True, eq=False)
class Mesh:
    """A triangle mesh. N vertices, T triangles.

    Attributes:
        points: float32 [N, 3], head frame, decimetres.
        normals: float32 [N, 3], unit length.
        triangles: int32 [T, 3], counter-clockwise seen from outside.
    """

    points: Floats
    normals: Floats
    triangles: Ints

    @classmethod
    def with_normals(cls, points: NDArray[np.floating], triangles: Ints) -> Self:
        """A mesh with area-weighted vertex normals."""
        points = np.ascontiguousarray(points, np.float32)
        triangles = np.ascontiguousarray(triangles, np.int32)
        return cls(points, vertex_normals(points, triangles), triangles)


def grid_triangles(rows: int, columns: int) -> Ints:
    """Two triangles per cell of a grid of rows x columns vertices, row by row: int32 [T, 3]."""
    number = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]
    return np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3).astype(np.int32)


def grid_mesh(points: NDArray[np.floating]) -> Mesh:
    """A surface through points [R, C, 3]; seen from outside, rows run down and columns to the right."""
    return Mesh.with_normals(points.reshape(-1, 3), grid_triangles(*points.shape[:2]))
