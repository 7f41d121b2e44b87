"""Light: an ambient of first-order spherical harmonics, one key light, and the shadows that it throws."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facedistill.synth.baking import NO_WEIGHTS
from facedistill.synth.raster import rasterise

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

SHADOW_SIDE = 160
_SHADOW_SPAN = 3.6  # decimetres that the shadow map covers
_SHADOW_CENTRE = np.array([0.0, 7.15, 0.7], np.float32)
_FAR = 60.0


@dataclass(frozen=True, eq=False)
class Light:
    """All light in the head frame, linear RGB; a white surface that faces key light of 1 has radiance 1.

    Attributes:
        ambient: float32 [4, 3], the constant and the x, y, z slope of the ambient irradiance.
        direction: float32 [3], unit, towards the key light.
        key: float32 [3], irradiance of the key light.
        shadow: float32 [SHADOW_SIDE, SHADOW_SIDE], distance at which the key light's rays end.
        plane: float32 [3, 4], head frame (with a 1 appended) -> shadow-map column, row, distance.
    """

    ambient: Floats
    direction: Floats
    key: Floats
    shadow: Floats
    plane: Floats


def turn_ambient(ambient: Floats, rotation: Floats) -> Floats:
    """Ambient light of the camera frame, seen from the head frame. [4, 3] -> [4, 3]."""
    turned = ambient.astype(np.float32).copy()
    turned[1:] = rotation.T @ turned[1:]
    return turned


def light_direction(azimuth: float, elevation: float) -> Floats:
    """Degrees -> unit vector towards the light, camera frame: azimuth 0 comes from the camera, 90 from the right."""
    a, e = np.radians([azimuth, elevation])
    return np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)], np.float32)


def shadow_plane(direction: Floats) -> Floats:
    """The orthographic projection of the shadow map for a light direction in the head frame: float32 [3, 4]."""
    x, y, z = direction
    right = np.array([z, 0.0, -x]) if abs(y) < 0.9 else np.array([0.0, -z, y])
    right /= np.linalg.norm(right)
    up = np.cross(direction, right)
    scale = SHADOW_SIDE / _SHADOW_SPAN
    axes = np.stack([right * scale, -up * scale, -direction])
    offset = np.array([SHADOW_SIDE / 2, SHADOW_SIDE / 2, _FAR]) - axes @ _SHADOW_CENTRE
    return np.concatenate([axes, offset[:, None]], axis=1).astype(np.float32)


def cast_shadows(
    plane: Floats,
    points: Floats,
    triangles: Ints,
    open_: slice,
    texture: Floats,
    heights: Floats,
    levels: Floats,
) -> Floats:
    """The shadow map: how far along each ray of the key light the first surface is.

    Args:
        plane: From `shadow_plane`.
        points: [V, 3] in the head frame.
        triangles: As in `raster.rasterise`, and so are the rest.
        open_: The triangles whose backs throw shadows, too; those of closed surfaces throw none that the others do not.
        texture: [V, 2].
        heights: [R, C].
        levels: [T].
    """
    screen = (points @ plane[:, :3].T + plane[:, 3]).astype(np.float32)
    nearness = np.zeros((SHADOW_SIDE, SHADOW_SIDE), np.float32)
    owner = np.empty((SHADOW_SIDE, SHADOW_SIDE), np.int32)
    for part, cull in ((slice(open_.start), True), (open_, False), (slice(open_.stop, None), True)):
        rasterise(screen, triangles[part], 0, cull, texture, heights, levels[part], nearness, owner, NO_WEIGHTS)
    distance: Floats = np.reciprocal(np.maximum(nearness, np.float32(1e-6)))
    return distance
