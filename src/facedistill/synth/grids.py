"""Surfaces through grids of points: what cloth, fingers and teeth are made of."""

import numpy as np
from numpy.typing import NDArray

from facedistill.synth.pieces import Piece, plain_piece
from facedistill.synth.raster import vertex_normals
from facedistill.synth.shade import EXTRA
from facedistill.synth.wearing import Surface

Floats = NDArray[np.float32]


def grid_surface(points: Floats) -> Surface:
    """A surface through points [R, C, 3]; its outside faces whoever sees rows run down and columns to the right."""
    rows, columns = points.shape[:2]
    number = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]
    triangles = np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3).astype(np.int32)
    flat = np.ascontiguousarray(points.reshape(-1, 3), np.float32)
    return Surface(flat, vertex_normals(flat, triangles), triangles)


def grid_piece(points: Floats, kind: int, brightness: Floats) -> Piece:
    """A grid [R, C, 3] of one colour, lighter and darker by `brightness` [R, C]."""
    attributes, triangles, kind, levels = plain_piece(grid_surface(points), None, kind)
    attributes[:, EXTRA] = brightness.ravel()
    return attributes, triangles, kind, levels
