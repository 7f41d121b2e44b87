"""Clothes, cut from the skin mesh; the peak of a cap; the points where spectacles rest on the ears."""

import numpy as np

from facedistill.synth.arrays import Floats, Ints
from facedistill.synth.assets import Assets
from facedistill.synth.mesh import Mesh, grid_mesh
from facedistill.synth.texture_layout import azimuth


class ClothingBuilder:
    """Builds garments as copies of the skin mesh, offset along its normals, so that they follow every deformation."""

    def __init__(self, assets: Assets) -> None:
        points = assets.points
        angle = np.abs(azimuth(points))
        x, y = np.abs(points[:, 0]), points[:, 1]
        neckline = 5.60 + 0.22 * np.clip(angle / 1.6, 0, 1.2)
        depths = {  # distance of each vertex of the resting head inside the garment, decimetres
            "shirt": neckline - y,
            "collar": neckline + 0.22 - y,
            "turtleneck": 6.10 - y,
        }
        skin = assets.triangles_of("skin")
        self._cuts = {name: _cut(skin, depth.astype(np.float32)) for name, depth in depths.items()}
        on_head = np.flatnonzero(assets.vertices_of("skin") & (x < 0.80) & (assets.occlusion > 0.3))
        rests = [np.linalg.norm(points[on_head] - [side, 7.36, 0.20], axis=1) for side in (-0.78, 0.78)]
        self._rests = np.array([on_head[np.argmin(away)] for away in rests])

    def ears(self, posed: Floats) -> Floats:
        """Points where the temples of spectacles rest, the subject's right ear first, float32 [2, 3]."""
        return np.asarray(posed[self._rests], np.float32)

    def mesh(self, name: str, posed: Floats, normals: Floats, thickness: float) -> tuple[Mesh, Floats]:
        """A garment, and the distance of each of its N vertices inside its outline, float32 [N], decimetres.

        Args:
            name: One of `conditions.CLOTHING`.
            posed: [V, 3] the posed head.
            normals: [V, 3] its normals.
            thickness: Offset from the skin, decimetres.
        """
        used, faces, depth = self._cuts[name]
        return Mesh.with_normals(posed[used] + thickness * normals[used], faces), depth


def _cut(skin: Ints, depth: Floats) -> tuple[Ints, Ints, Floats]:
    """A garment's vertices (numbers in the head), its triangles, and the vertices' distance inside its outline."""
    faces = skin[(depth[skin] > 0).any(axis=1) & (depth[skin] > -5).all(axis=1)]
    used, renumbered = np.unique(faces, return_inverse=True)
    return used.astype(np.int32), np.ascontiguousarray(renumbered.reshape(-1, 3), np.int32), depth[used]


def cap_peak(eyes: Floats) -> Mesh:
    """The peak of a cap above the eyes' centres [2, 3], head frame."""
    across, out = np.meshgrid(np.linspace(-1, 1, 13), np.linspace(0, 1, 6), indexing="ij")
    middle = eyes.mean(axis=0)
    round_front = np.sqrt(np.maximum(1 - across**2, 0))
    x = middle[0] + 0.74 * across
    y = middle[1] + 0.50 - 0.10 * across**2 - 0.13 * out
    z = middle[2] - 0.62 + 0.66 * round_front + out * (0.12 + 0.50 * round_front)
    return grid_mesh(np.stack([x, y, z], axis=-1))
