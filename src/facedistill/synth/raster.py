"""The z-buffer: which triangle is seen at which pixel. Plain loops, compiled by numba."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

NOTHING = -1


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def map_value(values: Floats, row: float, column: float) -> float:
    """A map [R, C] between its pixels: linear, columns go round, rows end."""
    rows, columns = values.shape
    row = min(max(row, 0.0), rows - 1.001)
    r, c = int(row), math.floor(column)
    fr, fc = row - r, column - c
    c = c % columns
    d = c + 1 if c + 1 < columns else 0
    below = r + 1 if r + 1 < rows else r
    upper = values[r, c] + fc * (values[r, d] - values[r, c])
    lower = values[below, c] + fc * (values[below, d] - values[below, c])
    value: float = upper + fr * (lower - upper)
    return value


@njit(cache=True, nogil=True, fastmath=True)
def rasterise(
    screen: Floats,
    triangles: Ints,
    first: int,
    cull: bool,
    texture: Floats,
    heights: Floats,
    levels: Floats,
    nearness: Floats,
    owner: Ints,
    weights: Floats,
) -> None:
    """Draws triangles into the buffers, nearest wins.

    Pixel (row, column) is sampled at its centre (column + .5, row + .5).

    Args:
        screen: [V, 3] x right, y down in pixels, and the distance from the camera along its axis (> 0).
        triangles: [T, 3] vertex indices.
        first: Number of the first triangle, so that several meshes share one set of buffers.
        cull: Leave out triangles that turn their back (those that run clockwise on the screen).
        texture: [V, 2] row and column in `heights`; looked at only where the triangle has a level.
        heights: [R, C] the strand map of hair; a fragment is drawn where it exceeds the triangle's level.
        levels: [T] level of each triangle; below 0 means opaque.
        nearness: [H, W], one over the distance of what was drawn; 0 where nothing was drawn yet.
        owner: [H, W] number of the triangle seen, `NOTHING` where none.
        weights: [H, W, 2] perspective-correct weights of its first two vertices.
    """
    rows, columns = nearness.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, az = screen[a, 0], screen[a, 1], screen[a, 2]
        bx, by, bz = screen[b, 0], screen[b, 1], screen[b, 2]
        cx, cy, cz = screen[c, 0], screen[c, 1], screen[c, 2]
        if az <= 0.01 or bz <= 0.01 or cz <= 0.01:
            continue
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9 or (cull and area > 0):
            continue
        top = max(0, math.ceil(min(ay, by, cy) - 0.5))
        bottom = min(rows - 1, math.floor(max(ay, by, cy) - 0.5))
        first_column = max(0, math.ceil(min(ax, bx, cx) - 0.5))
        last_column = min(columns - 1, math.floor(max(ax, bx, cx) - 0.5))
        if top > bottom or first_column > last_column:
            continue
        inverse = 1.0 / area
        level = levels[t]
        ia, ib, ic = 1.0 / az, 1.0 / bz, 1.0 / cz
        # Weights of the first two vertices change by these along a row.
        step_a, step_b = (by - cy) * inverse, (cy - ay) * inverse
        for row in range(top, bottom + 1):
            y = row + 0.5
            x = first_column + 0.5
            wa = ((bx - x) * (cy - y) - (by - y) * (cx - x)) * inverse - step_a
            wb = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) * inverse - step_b
            for column in range(first_column, last_column + 1):
                wa += step_a
                wb += step_b
                wc = 1.0 - wa - wb
                if wa < 0.0 or wb < 0.0 or wc < 0.0:
                    continue
                near = wa * ia + wb * ib + wc * ic
                if near <= nearness[row, column]:
                    continue
                distance = 1.0 / near
                pa, pb = wa * ia * distance, wb * ib * distance
                if level >= 0.0:
                    pc = 1.0 - pa - pb
                    r = pa * texture[a, 0] + pb * texture[b, 0] + pc * texture[c, 0]
                    s = pa * texture[a, 1] + pb * texture[b, 1] + pc * texture[c, 1]
                    if map_value(heights, r, s) <= level:
                        continue
                nearness[row, column] = near
                owner[row, column] = first + t
                weights[row, column, 0] = pa
                weights[row, column, 1] = pb


@njit(cache=True, nogil=True, fastmath=True)
def vertex_normals(points: Floats, triangles: Ints) -> Floats:
    """Area-weighted unit normals [V, 3] of a mesh whose triangles run counter-clockwise seen from outside."""
    normals = np.zeros_like(points)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
        vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for v in (a, b, c):
            normals[v, 0] += x
            normals[v, 1] += y
            normals[v, 2] += z
    for v in range(points.shape[0]):
        length = math.sqrt(normals[v, 0] ** 2 + normals[v, 1] ** 2 + normals[v, 2] ** 2) + 1e-12
        normals[v, 0] /= length
        normals[v, 1] /= length
        normals[v, 2] /= length
    return normals


@njit(cache=True, nogil=True, fastmath=True)
def smooth_over_mesh(values: Floats, triangles: Ints, rounds: int) -> Floats:
    """Means over neighbouring vertices, `rounds` times: what light does that travels under the skin. [V, K]."""
    current = values.copy()
    for _ in range(rounds):
        total = current.copy()
        count = np.ones(values.shape[0], np.float32)
        for t in range(triangles.shape[0]):
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            for k in range(values.shape[1]):
                total[a, k] += current[b, k] + current[c, k]
                total[b, k] += current[a, k] + current[c, k]
                total[c, k] += current[a, k] + current[b, k]
            count[a] += 2
            count[b] += 2
            count[c] += 2
        for v in range(values.shape[0]):
            for k in range(values.shape[1]):
                current[v, k] = total[v, k] / count[v]
    return current
