"""The rasteriser: a z-buffer with alpha test, and functions of meshes. Compiled by numba."""

import math

import numpy as np

from facedistill.synth.arrays import Floats, Ints
from facedistill.synth.compiling import inline, kernel

NO_TRIANGLE = -1
_LANES = 8  # pixels per SIMD instruction


@inline
def map_value(values: Floats, row: float, column: float) -> float:
    """Bilinear sample of a map [R, C]; columns wrap, rows are clamped."""
    rows, columns = values.shape
    row = min(max(row, 0.0), rows - 1.001)
    r, c = int(row), math.floor(column)
    fr, fc = row - r, column - c
    if c < 0 or c >= columns:
        c = c % columns
    d = c + 1 if c + 1 < columns else 0
    below = r + 1 if r + 1 < rows else r
    upper = values[r, c] + fc * (values[r, d] - values[r, c])
    lower = values[below, c] + fc * (values[below, d] - values[below, c])
    value: float = upper + fr * (lower - upper)
    return value


@kernel
def rasterise(
    screen: Floats,
    triangles: Ints,
    first: int,
    cull: bool,
    texcoords: Floats,
    alpha_map: Floats,
    alpha_cutoffs: Floats,
    inverse_depth: Floats,
    triangle_ids: Ints,
    weights: Floats,
) -> None:
    """Draws triangles into the buffers; the nearest one is kept.

    Pixel (row, column) is sampled at its centre (column + .5, row + .5).

    Args:
        screen: [V, 3] x right, y down in pixels, and the distance from the camera along its axis (> 0).
        triangles: [T, 3] vertex indices.
        first: Id of the first triangle, so that several calls can share one set of buffers.
        cull: Whether back faces (clockwise on the screen) are left out.
        texcoords: [V, 2] row and column in `alpha_map`; unused where a triangle is opaque.
        alpha_map: [R, C]; a fragment is drawn where the map exceeds the cutoff of its triangle.
        alpha_cutoffs: [T] cutoff of each triangle's alpha test; below 0: opaque.
        inverse_depth: [H, W], one over the distance of the nearest surface, changed in place; 0 where there is none.
        triangle_ids: [H, W] id of the visible triangle, changed in place; `NO_TRIANGLE` where there is none.
        weights: [H, W, 2] perspective-correct weights of its first two vertices; not written where empty.
    """
    rows, columns = inverse_depth.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, az = screen[a, 0], screen[a, 1], screen[a, 2]
        bx, by, bz = screen[b, 0], screen[b, 1], screen[b, 2]
        cx, cy, cz = screen[c, 0], screen[c, 1], screen[c, 2]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9 or (cull and area > 0) or az <= 0.01 or bz <= 0.01 or cz <= 0.01:
            continue
        top = max(0, math.ceil(min(ay, by, cy) - 0.5))
        bottom = min(rows - 1, math.floor(max(ay, by, cy) - 0.5))
        left = max(0, math.ceil(min(ax, bx, cx) - 0.5))
        right = min(columns - 1, math.floor(max(ax, bx, cx) - 0.5))
        if top > bottom or left > right:
            continue
        inverse = 1.0 / area
        ia, ib, ic = 1.0 / az, 1.0 / bz, 1.0 / cz
        # The weights change by these along a row, and with them the inverse_depth.
        step_a, step_b = (by - cy) * inverse, (cy - ay) * inverse
        step_near = step_a * (ia - ic) + step_b * (ib - ic)
        lanes = (right - left + _LANES) // _LANES * _LANES
        start = min(left, columns - lanes)
        if alpha_cutoffs[t] < 0.0 and len(weights) == 0 and start >= 0:
            # All lanes of a row are computed without branches, several per SIMD instruction.
            one, few = np.float32(1), np.float32(-1e-6)  # a little over the edge, so that rounding leaves no gap
            x, number = start + 0.5, np.int32(first + t)
            along_a, along_b, along = np.float32(step_a), np.float32(step_b), np.float32(step_near)
            for row in range(top, bottom + 1):
                y = row + 0.5
                wa = np.float32(((bx - x) * (cy - y) - (by - y) * (cx - x)) * inverse)
                wb = np.float32(((cx - x) * (ay - y) - (cy - y) * (ax - x)) * inverse)
                near_start = np.float32(ic + wa * (ia - ic) + wb * (ib - ic))
                for n in range(lanes):
                    lane = np.float32(n)
                    pa, pb, near = wa + lane * along_a, wb + lane * along_b, near_start + lane * along
                    former, former_id = inverse_depth[row, start + n], triangle_ids[row, start + n]
                    seen = (min(pa, pb, one - pa - pb) >= few) & (near > former)
                    inverse_depth[row, start + n] = near if seen else former
                    triangle_ids[row, start + n] = number if seen else former_id
            continue
        level = alpha_cutoffs[t]
        ra, rb, rc = texcoords[a, 0] * ia, texcoords[b, 0] * ib, texcoords[c, 0] * ic
        sa, sb, sc = texcoords[a, 1] * ia, texcoords[b, 1] * ib, texcoords[c, 1] * ic
        step_r, step_s = step_a * (ra - rc) + step_b * (rb - rc), step_a * (sa - sc) + step_b * (sb - sc)
        # A triangle's span in a row begins and ends where a weight changes its sign.
        turn_a, turn_b, turn_c = _turn(step_a), _turn(step_b), _turn(-step_a - step_b)
        for row in range(top, bottom + 1):
            x, y = left + 0.5, row + 0.5
            wa = ((bx - x) * (cy - y) - (by - y) * (cx - x)) * inverse
            wb = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) * inverse
            wc = 1.0 - wa - wb
            begin, end = 0.0, float(right - left)
            begin, end = _narrowed(begin, end, wa * turn_a, turn_a)
            begin, end = _narrowed(begin, end, wb * turn_b, turn_b)
            begin, end = _narrowed(begin, end, wc * turn_c, turn_c)
            if begin > end:
                continue
            near_left = wa * ia + wb * ib + wc * ic
            r, s = wa * ra + wb * rb + wc * rc, wa * sa + wb * sb + wc * sc
            for n in range(math.ceil(begin), math.floor(end) + 1):
                near = near_left + n * step_near
                column = left + n
                if near <= inverse_depth[row, column]:
                    continue
                if level >= 0.0 and map_value(alpha_map, (r + n * step_r) / near, (s + n * step_s) / near) <= level:
                    continue
                inverse_depth[row, column] = near
                triangle_ids[row, column] = first + t
                if len(weights) > 0:
                    weights[row, column, 0] = (wa + n * step_a) * ia / near
                    weights[row, column, 1] = (wb + n * step_b) * ib / near


@inline
def _turn(step: float) -> float:
    """Minus one over a step along a row, bounded where the step is 0."""
    return -1.0 / step if abs(step) > 1e-12 else -1e12


@inline
def _narrowed(begin: float, end: float, turning: float, turn: float) -> tuple[float, float]:
    """The part of a span in which a weight is not negative; it turns at `turning`, upwards if `turn` is negative."""
    if turn < 0.0:
        return max(begin, turning), end
    return begin, min(end, turning)


@inline
def corner_weights(screen: Floats, a: int, b: int, c: int, x: float, y: float) -> tuple[float, float]:
    """Perspective-correct weights of corners a and b of a triangle at a point of the screen."""
    ax, ay = screen[a, 0], screen[a, 1]
    bx, by = screen[b, 0], screen[b, 1]
    cx, cy = screen[c, 0], screen[c, 1]
    wa = ((bx - x) * (cy - y) - (by - y) * (cx - x)) * screen[b, 2] * screen[c, 2]
    wb = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) * screen[a, 2] * screen[c, 2]
    wc = ((ax - x) * (by - y) - (ay - y) * (bx - x)) * screen[a, 2] * screen[b, 2]
    scale = 1.0 / (wa + wb + wc)
    return wa * scale, wb * scale


@kernel
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
        for k in range(3):
            normals[v, k] /= length
    return normals


@kernel
def smooth_over_mesh(values: Floats, triangles: Ints, rounds: int) -> Floats:
    """Averages vertex values [V, K] over neighbours, `rounds` times (normals for subsurface scattering). [V, K]."""
    rows, columns = values.shape
    share = np.ones(rows, np.float32)
    for t in range(triangles.shape[0]):
        for corner in range(3):
            share[triangles[t, corner]] += 2
    for v in range(rows):
        share[v] = 1 / share[v]
    current, total = values.copy(), values.copy()
    for _ in range(rounds):
        for t in range(triangles.shape[0]):
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            for k in range(columns):
                one, two, three = current[a, k], current[b, k], current[c, k]
                total[a, k] += two + three
                total[b, k] += one + three
                total[c, k] += one + two
        for v in range(rows):
            for k in range(columns):
                current[v, k] = total[v, k] * share[v]
                total[v, k] = current[v, k]
    return current
