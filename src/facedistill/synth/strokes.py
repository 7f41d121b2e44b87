"""Antialiased lines and polygons over a rendered picture. Compiled by numba.

A wire of a millimetre is narrower than a pixel: rasterised as triangles it would break into dots.
"""

import math

from facedistill.synth.arrays import Floats
from facedistill.synth.compiling import inline, kernel
from facedistill.synth.shading import clamp

_AHEAD = 1.004  # tolerance of the depth test


@inline
def _open_share(inverse_depth: Floats, row: int, column: int, near: float) -> float:
    """Share of a pixel's four samples at which nothing is nearer than `near` (inverse depth)."""
    share = 0.0
    for sub in range(4):
        if inverse_depth[2 * row + sub // 2, 2 * column + sub % 2] <= near * _AHEAD:
            share += 0.25
    return share


@kernel
def draw_line(path: Floats, inverse_depth: Floats, cover: Floats, gleam: Floats) -> None:
    """Draws a line of changing width.

    Args:
        path: [N, 5] x and y (pixels of the picture, from its edge), one over the distance, half width in pixels,
            brightness.
        inverse_depth: [2H, 2W] of the rendered scene, see `raster.rasterise`.
        cover: [H, W] share of each pixel that lines cover, raised in place.
        gleam: [H, W] brightness of the line that covers most, changed in place.
    """
    rows, columns = cover.shape
    for n in range(path.shape[0] - 1):
        ax, ay, bx, by = path[n, 0], path[n, 1], path[n + 1, 0], path[n + 1, 1]
        reach = max(path[n, 3], path[n + 1, 3]) + 1.0
        top, bottom = max(int(min(ay, by) - reach), 0), min(int(max(ay, by) + reach) + 1, rows)
        left, right = max(int(min(ax, bx) - reach), 0), min(int(max(ax, bx) + reach) + 1, columns)
        dx, dy = bx - ax, by - ay
        length = dx * dx + dy * dy + 1e-9
        for row in range(top, bottom):
            for column in range(left, right):
                px, py = column + 0.5 - ax, row + 0.5 - ay
                t = clamp((px * dx + py * dy) / length, 0.0, 1.0)
                half = path[n, 3] + t * (path[n + 1, 3] - path[n, 3])
                away = math.sqrt((px - t * dx) ** 2 + (py - t * dy) ** 2)
                # A line narrower than a pixel is as faint as it is narrow.
                share = clamp(max(half, 0.5) + 0.5 - away, 0.0, 1.0) * min(2.0 * half, 1.0)
                if share > cover[row, column]:
                    near = path[n, 2] + t * (path[n + 1, 2] - path[n, 2])
                    share *= _open_share(inverse_depth, row, column, near)
                    if share > cover[row, column]:
                        cover[row, column] = share
                        gleam[row, column] = path[n, 4] + t * (path[n + 1, 4] - path[n, 4])


@kernel
def fill_polygon(outline: Floats, inverse_depth: Floats, cover: Floats, height: Floats) -> None:
    """Fills a convex outline.

    Args:
        outline: [N, 3] x, y and one over the distance, as in `draw_line`, in order round the polygon.
        inverse_depth: [2H, 2W].
        cover: [H, W] share of each pixel that polygons cover, raised in place.
        height: [H, W] 0 at the top of the polygon, 1 at its bottom, changed in place.
    """
    rows, columns = cover.shape
    count = outline.shape[0]
    area, near, top, bottom, left, right = 0.0, 0.0, 1e9, -1e9, 1e9, -1e9
    for n in range(count):
        m = (n + 1) % count
        area += outline[n, 0] * outline[m, 1] - outline[m, 0] * outline[n, 1]
        near += outline[n, 2] / count
        top, bottom = min(top, outline[n, 1]), max(bottom, outline[n, 1])
        left, right = min(left, outline[n, 0]), max(right, outline[n, 0])
    turn = 1.0 if area > 0.0 else -1.0
    for row in range(max(int(top) - 1, 0), min(int(bottom) + 2, rows)):
        for column in range(max(int(left) - 1, 0), min(int(right) + 2, columns)):
            inside = 1.0
            for n in range(count):
                m = (n + 1) % count
                ex, ey = outline[m, 0] - outline[n, 0], outline[m, 1] - outline[n, 1]
                length = math.sqrt(ex * ex + ey * ey) + 1e-9
                away = turn * (ex * (row + 0.5 - outline[n, 1]) - ey * (column + 0.5 - outline[n, 0])) / length
                inside = min(inside, away + 0.5)
                if inside <= 0.0:
                    break
            if inside > cover[row, column]:
                share = inside * _open_share(inverse_depth, row, column, near)
                if share > cover[row, column]:
                    cover[row, column] = share
                    height[row, column] = clamp((row + 0.5 - top) / (bottom - top), 0.0, 1.0)
