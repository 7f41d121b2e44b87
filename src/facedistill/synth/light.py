"""Light: ambient light in first-order spherical harmonics, one directional key light, and its shadow map."""

from dataclasses import dataclass

import numpy as np

from facedistill.synth.arrays import Floats

SHADOW_SIDE = 160
_SHADOW_SPAN = 3.6  # decimetres that the shadow map covers
_SHADOW_CENTRE = np.array([0.0, 7.15, 0.7], np.float32)
_FAR = 60.0


@dataclass(frozen=True, eq=False)
class Light:
    """All light in the head frame, linear RGB; a white surface that faces a key light of 1 has radiance 1.

    Attributes:
        ambient: float32 [4, 3], the constant and the x, y, z slope of the ambient irradiance.
        direction: float32 [3], unit, towards the key light.
        key: float32 [3], irradiance of the key light.
        shadow: float32 [SHADOW_SIDE, SHADOW_SIDE], shadow map: distance at which the key light's rays end.
        projection: float32 [3, 4], head frame (with a 1 appended) -> shadow-map column, row, distance.
    """

    ambient: Floats
    direction: Floats
    key: Floats
    shadow: Floats
    projection: Floats


def rotate_ambient(ambient: Floats, rotation: Floats) -> Floats:
    """Ambient light [4, 3] rotated from the camera frame to the head frame, float32 [4, 3]."""
    turned = ambient.astype(np.float32).copy()
    turned[1:] = rotation.T @ turned[1:]
    return turned


def light_direction(azimuth: float, elevation: float) -> Floats:
    """Unit vector towards the light, camera frame, float32 [3]; degrees, azimuth 0 at the camera, 90 at the right."""
    a, e = np.radians([azimuth, elevation])
    return np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)], np.float32)


def shadow_projection(direction: Floats) -> Floats:
    """The orthographic projection of the shadow map for a light direction in the head frame: float32 [3, 4]."""
    x, y, z = direction
    right = np.array([z, 0.0, -x]) if abs(y) < 0.9 else np.array([0.0, -z, y])
    right /= np.linalg.norm(right)
    up = np.cross(direction, right)
    scale = SHADOW_SIDE / _SHADOW_SPAN
    axes = np.stack([right * scale, -up * scale, -direction])
    offset = np.array([SHADOW_SIDE / 2, SHADOW_SIDE / 2, _FAR]) - axes @ _SHADOW_CENTRE
    return np.concatenate([axes, offset[:, None]], axis=1).astype(np.float32)
