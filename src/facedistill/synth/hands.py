"""Occluding hands, at the cheek or in front of the mouth."""

import numpy as np
from numpy.typing import NDArray

from facedistill.synth.arrays import Floats
from facedistill.synth.assets import Assets
from facedistill.synth.face_coverings import SurfaceAnchors, push_outwards, tauten
from facedistill.synth.mesh import grid_mesh
from facedistill.synth.shade import TEXCOORD
from facedistill.synth.submeshes import Submesh, skin_submesh
from facedistill.synth.texture_layout import texture_coordinates

FacePoints = NDArray[np.floating]  # [..., 2]: radians from the middle of the face outwards, and height in decimetres

_RINGS, _SIDES = 22, 11
_LENGTHS = (0.86, 1.0, 0.95, 0.74)  # of index to little finger, relative to the middle one
_NAIL = np.array([0.05, 6.665, 1.6], np.float32)  # nails have the colour of the lips
_ROWS, _COLUMNS = 12, 25
_HEIGHTS = (6.0, 7.15)


class HandBuilder:
    """Builds hands that touch a posed face."""

    def __init__(self, assets: Assets) -> None:
        heights = np.linspace(_HEIGHTS[1], _HEIGHTS[0], _ROWS, dtype=np.float32)[:, None]
        angles = np.linspace(-1.5, 1.5, _COLUMNS, dtype=np.float32)
        self._face = SurfaceAnchors(assets, angles[None], heights)

    def submeshes(self, posed: Floats, seed: int) -> list[Submesh]:
        """A hand on a posed head [V, 3]: four fingers, the back with the wrist, and at the cheek a thumb."""
        rng = np.random.default_rng(seed)
        side = float(rng.choice((-1.0, 1.0)))
        face = tauten(self._face.positions(posed), 8)
        across = rng.random() < 0.35  # in front of the mouth, else up the cheek
        size = float(rng.uniform(0.9, 1.05))
        if across:
            height, direction = rng.uniform(6.60, 6.74), np.array([-1.0, 0.10])
        else:
            height, direction = rng.uniform(6.22, 6.38), np.array([-0.18, 1.0])
        root, direction = np.array([0.80, height]), direction / np.linalg.norm(direction)
        beside = np.array([0.0, -1.0]) if across else np.array([-direction[1], direction[0]])
        tubes = []
        for finger, length in enumerate(_LENGTHS):
            spread = float(rng.normal(0, 0.015)) + 0.05 * (finger - 1.5)
            start = root + (finger - 1.5) * 0.150 * size * beside
            lean = direction + spread * beside
            tubes.append((start, start + 0.66 * size * length * lean, 0.078 * size * (1 - 0.06 * abs(finger - 1.0))))
        submeshes = [self._finger(face, side, start, end, radius, rng) for start, end, radius in tubes]
        if not across:  # the thumb reaches under the jaw
            start, end = root + np.array([-0.20, -0.12]), np.array([0.18, 6.17])
            submeshes.append(self._finger(face, side, start, end, 0.088 * size, rng))
        return [*submeshes, _back(self._on(face, side, root[None], 0.06)[0], side, across, size)]

    def _on(self, face: Floats, side: float, points_on_face: FacePoints, lift: float) -> Floats:
        """Points `lift` decimetres above the face: float32 [N, 3]."""
        row = (_HEIGHTS[1] - points_on_face[:, 1]) / (_HEIGHTS[1] - _HEIGHTS[0]) * (_ROWS - 1)
        column = (side * points_on_face[:, 0] + 1.5) / 3.0 * (_COLUMNS - 1)
        row, column = np.clip(row, 0, _ROWS - 1.001), np.clip(column, 0, _COLUMNS - 1.001)
        r, c = row.astype(int), column.astype(int)
        fr, fc = (row - r)[:, None], (column - c)[:, None]
        points = (1 - fr) * ((1 - fc) * face[r, c] + fc * face[r, c + 1])
        points = points + fr * ((1 - fc) * face[r + 1, c] + fc * face[r + 1, c + 1])
        lifted = push_outwards(points[None].astype(np.float32), np.full((1, len(points)), lift, np.float32))
        return lifted.reshape(-1, 3)

    def _finger(
        self, face: Floats, side: float, start: FacePoints, end: FacePoints, radius: float, rng: np.random.Generator
    ) -> Submesh:
        along = np.linspace(0, 1, _RINGS)
        spine = self._on(face, side, start[None] + along[:, None] * (end - start)[None], 0.85 * radius)
        knuckles = np.exp(-(((along - 0.38) / 0.06) ** 2)) + np.exp(-(((along - 0.68) / 0.05) ** 2))
        lift = 0.05 * np.sin(np.pi * along) ** 0.7 * float(rng.uniform(0.2, 1.0))
        spine = push_outwards(spine[None], lift[None].astype(np.float32))[0]
        forward = np.gradient(spine, axis=0)
        forward /= np.linalg.norm(forward, axis=1, keepdims=True) + 1e-6
        outward = spine - np.array([0, 0, 0.25], np.float32)
        outward[:, 1] = 0
        outward -= (outward * forward).sum(axis=1, keepdims=True) * forward
        outward /= np.linalg.norm(outward, axis=1, keepdims=True) + 1e-6
        sideways = np.cross(forward, outward)
        tip = np.sqrt(np.clip((1.0 - along) / 0.10, 0.003, 1))
        wide = radius * (1.08 - 0.22 * along) * (1 + 0.07 * knuckles) * tip
        around = np.linspace(0, 2 * np.pi, _SIDES)
        tube = spine[:, None] + (wide[:, None] * np.sin(around))[..., None] * outward[:, None]
        tube = tube + (wide[:, None] * np.cos(around))[..., None] * sideways[:, None]
        top = np.clip(np.sin(around), 0, 1)[None] ** 2
        crease = np.abs(np.sin(40 * along))[:, None] * (knuckles > 0.4)[:, None] * top
        under = np.clip(-np.sin(around), 0, 1)[None] + 0.3 * (1 - top) + 0 * along[:, None]
        submesh = skin_submesh(grid_mesh(tube), np.clip(0.14 * crease + 0.16 * under, 0, 0.5).ravel())
        nail = ((along[:, None] > 0.86) & (along[:, None] < 0.975) & (np.sin(around)[None] > 0.8)).ravel()
        submesh.attributes[nail, TEXCOORD : TEXCOORD + 2] = texture_coordinates(_NAIL)
        return submesh


def _back(middle: Floats, side: float, across: bool, size: float) -> Submesh:
    """The back of the hand and the wrist, one flattened tube from the knuckles downwards."""
    along = np.linspace(0, 1, 14)
    if across:
        bend = np.stack([0.42 * along, -0.25 * along - 1.1 * along**2, -0.15 * along], axis=1)
    else:
        bend = np.stack([0.22 * along, -1.35 * along, -0.02 * along + 0.10 * along**2], axis=1)
    spine = middle + size * bend * [side, 1, 1]
    wide = size * np.interp(along, [0, 0.12, 0.4, 0.6, 1], [0.24, 0.33, 0.34, 0.25, 0.24])
    deep = size * np.interp(along, [0, 0.2, 0.6, 1], [0.06, 0.14, 0.17, 0.18])
    around = np.linspace(0, 2 * np.pi, 17)
    forward = np.gradient(spine, axis=0)
    forward /= np.linalg.norm(forward, axis=1, keepdims=True)
    outward = np.array([side * 0.75, 0.0, 0.66])
    outward = outward - (forward @ outward)[:, None] * forward
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    sideways = np.cross(forward, outward)
    tube = spine[:, None] + (deep[:, None] * np.sin(around))[..., None] * outward[:, None]
    tube = tube + (wide[:, None] * np.cos(around))[..., None] * sideways[:, None]
    shade = 0.06 + 0.12 * np.clip(-np.sin(around), 0, 1)[None] + 0 * along[:, None]
    return skin_submesh(grid_mesh(tube), shade.ravel())
