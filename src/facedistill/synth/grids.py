"""Surfaces through grids of points: what cloth, fingers and teeth are made of."""

import numpy as np

from facedistill.synth.arrays import Floats
from facedistill.synth.clothing import Mesh
from facedistill.synth.raster import vertex_normals
from facedistill.synth.shade import EXTRA
from facedistill.synth.submeshes import Submesh, plain_submesh


def grid_mesh(points: Floats) -> Mesh:
    """A surface through points [R, C, 3]; its outside faces whoever sees rows run down and columns to the right."""
    rows, columns = points.shape[:2]
    number = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]
    triangles = np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3).astype(np.int32)
    flat = np.ascontiguousarray(points.reshape(-1, 3), np.float32)
    return Mesh(flat, vertex_normals(flat, triangles), triangles)


def grid_submesh(points: Floats, material: int, brightness: Floats) -> Submesh:
    """A grid [R, C, 3] of one colour, lighter and darker by `brightness` [R, C]."""
    attributes, triangles, material, alpha_cutoffs = plain_submesh(grid_mesh(points), None, material)
    attributes[:, EXTRA] = brightness.ravel()
    return attributes, triangles, material, alpha_cutoffs
