"""Things that are worn: spectacles with lenses, a shirt, a mask, a scarf, a cap."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facedistill.synth.assets import PART_NUMBERS, Assets
from facedistill.synth.layout import azimuth
from facedistill.synth.raster import smooth_over_mesh, vertex_normals

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Frame:
    """A pair of spectacles; decimetres.

    Attributes:
        width, height: Half axes of a lens.
        power: Exponent of its superellipse: 2 round, 4 squarish.
        droop: How much lower its outer half hangs (negative: cat's eyes).
        rim: Width of the rim.
    """

    width: float
    height: float
    power: float
    droop: float
    rim: float


FRAMES: dict[str, Frame] = {
    "round": Frame(0.235, 0.215, 2.0, 0.0, 0.016),
    "oval": Frame(0.255, 0.170, 2.3, 0.0, 0.014),
    "rectangle": Frame(0.275, 0.165, 4.0, 0.0, 0.026),
    "square": Frame(0.270, 0.205, 3.4, 0.0, 0.036),
    "cat": Frame(0.275, 0.185, 2.8, -0.05, 0.030),
    "aviator": Frame(0.275, 0.225, 2.5, 0.03, 0.011),
    "rimless": Frame(0.255, 0.165, 2.8, 0.0, 0.004),
}
_POINTS = 36
_DEPTH = 0.035


@dataclass(frozen=True, eq=False)
class Surface:
    """A mesh to draw: points and unit normals float32 [N, 3], triangles int32 [T, 3]."""

    points: Floats
    normals: Floats
    triangles: Ints


def _surface(points: Floats, triangles: Ints) -> Surface:
    points = np.ascontiguousarray(points, np.float32)
    triangles = np.ascontiguousarray(triangles, np.int32)
    return Surface(points, vertex_normals(points, triangles), triangles)


def _ribbons(loops: list[Floats], closed: bool) -> tuple[Floats, Ints]:
    """Quads between neighbouring lines of equal length."""
    count = len(loops[0])
    points = np.concatenate(loops)
    steps = np.arange(count if closed else count - 1)
    after = (steps + 1) % count
    faces = []
    for line in range(len(loops) - 1):
        a, b = line * count, (line + 1) * count
        faces += [np.stack([a + steps, b + steps, b + after], 1), np.stack([a + steps, b + after, a + after], 1)]
    return points, np.concatenate(faces).astype(np.int32)


def _join(meshes: list[tuple[Floats, Ints]]) -> tuple[Floats, Ints]:
    offset, points, faces = 0, [], []
    for some, triangles in meshes:
        points.append(some)
        faces.append(triangles + offset)
        offset += len(some)
    return np.concatenate(points), np.concatenate(faces)


def spectacles(frame: Frame, eyes: Floats, brow_z: float, ears: Floats) -> tuple[Surface, Surface]:
    """The frame and the lenses of spectacles on a face.

    Args:
        frame: Their shape.
        eyes: [2, 3] the eyes' middles, the subject's right one first.
        brow_z: How far forward the brows and the bridge of the nose reach beside the lenses.
        ears: [2, 3] where the temples rest.
    """
    angle = np.linspace(0, 2 * np.pi, _POINTS, endpoint=False)
    x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** (2 / frame.power)
    y = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** (2 / frame.power)
    stands = max(float(eyes[:, 2].mean()) + 0.16, brow_z + 0.02)
    height = float(eyes[:, 1].mean()) - 0.025
    meshes, lenses, inner_ends, outer_ends = [], [], [], []
    for side, sign in ((0, -1.0), (1, 1.0)):
        middle = float(eyes[side, 0]) + sign * 0.012

        def outline(grow: float, back: float, middle: float = middle, sign: float = sign) -> Floats:
            px = (frame.width + grow) * x
            py = (frame.height + grow) * y - frame.droop * x * (1 if frame.droop < 0 else -y)
            world = middle + sign * px
            return np.stack([world, height + py, stands - 0.16 * world**2 - back], axis=1).astype(np.float32)

        inner, outer = outline(0, 0), outline(frame.rim, 0)
        meshes.append(_ribbons([outline(0, _DEPTH), inner, outer, outline(frame.rim, _DEPTH)], closed=True))
        centre = inner.mean(axis=0, keepdims=True)
        steps = np.arange(_POINTS)
        fan = np.stack([np.zeros(_POINTS, int), 1 + steps, 1 + (steps + 1) % _POINTS], axis=1)
        lenses.append((np.concatenate([centre, inner]) - [0, 0, _DEPTH / 2], fan))
        inner_ends.append(outer[np.argmax(-sign * outer[:, 0])] + [0, 0.05, 0.01])
        outer_ends.append(outer[np.argmax(sign * outer[:, 0])] + [0, 0.05, 0])
    thick = max(frame.rim, 0.012)
    arch = np.linspace(0, 1, 6)[:, None]
    bridge = inner_ends[0] * (1 - arch) + inner_ends[1] * arch + np.sin(np.pi * arch) * [0, 0.03, 0.03]
    meshes.append(
        _ribbons(
            [np.add(bridge, [0, up, back]) for up, back in ((-thick / 2, 0), (thick / 2, 0.01), (thick / 2, -0.03))],
            False,
        )
    )
    for side in range(2):
        arm = outer_ends[side] * (1 - arch) + (ears[side] + [0, 0.06, 0]) * arch
        meshes.append(_ribbons([np.add(arm, [0, up, 0]) for up in (-0.8 * thick, 0.8 * thick)], closed=False))
    return _surface(*_join(meshes)), _surface(*_join(lenses))


class Wardrobe:
    """Cloth cut from the skin itself: whatever follows the skin follows every shape and expression."""

    def __init__(self, assets: Assets) -> None:
        self._triangles = assets.triangles[assets.parts[assets.triangles[:, 0]] == PART_NUMBERS["skin"]]
        points = assets.points
        angle = np.abs(azimuth(points))
        x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
        neckline = 5.60 + 0.22 * np.clip(angle / 1.6, 0, 1.2)
        inside_out = np.where((assets.occlusion < 0.12) | (assets.inner_mouth > 0.5), 9.0, 0.0)
        ears = np.where((x > 0.76) & (y > 6.6), 9.0, 0.0)
        self._depths = {  # how far inside the piece each vertex of the resting head lies, decimetres
            "shirt": neckline - y,
            "collar": neckline + 0.22 - y,
            "turtleneck": 6.10 - y,
            "mask": np.minimum.reduce([6.99 - 0.30 * x - y, y - 6.16 + 0.1 * x, 1.5 * (1.12 - angle), z - 0.2])
            - inside_out
            - ears,
            "scarf": np.minimum(6.62 - 0.1 * angle - y, y - 5.5) - inside_out - ears,
        }
        on_head = np.flatnonzero((assets.parts == PART_NUMBERS["skin"]) & (x < 0.80) & (assets.occlusion > 0.3))
        rests = [np.linalg.norm(points[on_head] - [side, 7.36, 0.20], axis=1) for side in (-0.78, 0.78)]
        self._rests = np.array([on_head[np.argmin(away)] for away in rests])

    def ears(self, posed: Floats) -> Floats:
        """Where the temples of spectacles rest, the subject's right ear first, float32 [2, 3]."""
        rests: Floats = posed[self._rests]
        return rests

    def piece(self, name: str, posed: Floats, normals: Floats, thickness: float) -> tuple[Surface, Floats]:
        """A piece of cloth, and how far inside its outline each of its vertices lies (decimetres).

        Args:
            name: "shirt", "collar", "turtleneck", "mask" or "scarf".
            posed: [V, 3] the skin that it follows.
            normals: [V, 3], of the skin.
            thickness: How far it stands off, decimetres.
        """
        depth = self._depths[name]
        faces = self._triangles[(depth[self._triangles] > 0).any(axis=1) & (depth[self._triangles] > -5).all(axis=1)]
        used, renumbered = np.unique(faces, return_inverse=True)
        faces = np.ascontiguousarray(renumbered.reshape(-1, 3), np.int32)
        points = (posed[used] + thickness * normals[used]).astype(np.float32)
        if name in ("mask", "scarf"):  # stretched cloth shows no nostrils
            points = smooth_over_mesh(points, faces, 10) + np.float32(0.7 * thickness) * normals[used]
        surface = _surface(points, faces)
        return surface, depth[used].astype(np.float32)
