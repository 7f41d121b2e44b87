"""Clothes, cut from the skin itself, and where spectacles rest."""

from dataclasses import dataclass

import numpy as np

from facedistill.synth.arrays import Floats, Ints
from facedistill.synth.assets import PART_NUMBERS, Assets
from facedistill.synth.raster import vertex_normals
from facedistill.synth.texture_layout import azimuth


@dataclass(frozen=True, eq=False)
class Mesh:
    """A mesh to draw: points and unit normals float32 [N, 3], triangles int32 [T, 3]."""

    points: Floats
    normals: Floats
    triangles: Ints


def _surface(points: Floats, triangles: Ints) -> Mesh:
    points = np.ascontiguousarray(points, np.float32)
    triangles = np.ascontiguousarray(triangles, np.int32)
    return Mesh(points, vertex_normals(points, triangles), triangles)


class ClothingBuilder:
    """Cloth cut from the skin itself: whatever follows the skin follows every shape and expression."""

    def __init__(self, assets: Assets) -> None:
        points = assets.points
        angle = np.abs(azimuth(points))
        x, y = np.abs(points[:, 0]), points[:, 1]
        neckline = 5.60 + 0.22 * np.clip(angle / 1.6, 0, 1.2)
        depths = {  # how far inside the piece each vertex of the resting head lies, decimetres
            "shirt": neckline - y,
            "collar": neckline + 0.22 - y,
            "turtleneck": 6.10 - y,
        }
        skin = assets.triangles[assets.parts[assets.triangles[:, 0]] == PART_NUMBERS["skin"]]
        self._cuts = {name: _cut(skin, depth.astype(np.float32)) for name, depth in depths.items()}
        on_head = np.flatnonzero((assets.parts == PART_NUMBERS["skin"]) & (x < 0.80) & (assets.occlusion > 0.3))
        rests = [np.linalg.norm(points[on_head] - [side, 7.36, 0.20], axis=1) for side in (-0.78, 0.78)]
        self._rests = np.array([on_head[np.argmin(away)] for away in rests])

    def ears(self, posed: Floats) -> Floats:
        """Where the temples of spectacles rest, the subject's right ear first, float32 [2, 3]."""
        rests: Floats = posed[self._rests]
        return rests

    def mesh(self, name: str, posed: Floats, normals: Floats, thickness: float) -> tuple[Mesh, Floats]:
        """A piece of cloth, and how far inside its outline each of its vertices lies (decimetres).

        Args:
            name: "shirt", "collar" or "turtleneck".
            posed: [V, 3] the skin that it follows.
            normals: [V, 3], of the skin.
            thickness: How far it stands off, decimetres.
        """
        used, faces, depth = self._cuts[name]
        return _surface(posed[used] + thickness * normals[used], faces), depth


def _cut(skin: Ints, depth: Floats) -> tuple[Ints, Ints, Floats]:
    """Vertices of a piece of cloth, its triangles of them, and how deep inside the piece they lie."""
    faces = skin[(depth[skin] > 0).any(axis=1) & (depth[skin] > -5).all(axis=1)]
    used, renumbered = np.unique(faces, return_inverse=True)
    return used.astype(np.int32), np.ascontiguousarray(renumbered.reshape(-1, 3), np.int32), depth[used]
