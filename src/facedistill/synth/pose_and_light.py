"""Pose, expression and light of a picture, sampled at random."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

FROM_ABOVE = 0.12  # share of pictures from above, as of surveillance cameras
WIDE_YAW = 0.30  # share of pictures whose yaw is uniform up to profile
LARGEST_YAW = 75.0

EXPRESSIONS = {  # kind -> share of pictures
    "neutral": 0.34,
    "slight smile": 0.26,
    "smile": 0.12,
    "grin": 0.12,
    "talking": 0.08,
    "squint": 0.03,
    "blink": 0.01,
    "frown": 0.02,
    "surprise": 0.02,
}
LIGHTS = {"overcast": 0.22, "ceiling": 0.27, "window": 0.22, "flash": 0.10, "backlit": 0.07, "evening": 0.12}


@dataclass(frozen=True)
class Pose:
    """Head and camera; degrees, conventions of `camera.rotation_matrix`.

    Attributes:
        yaw: Positive turns the face to the picture's right.
        pitch: Positive lowers the chin, as a camera above the eyes sees it.
        roll: Positive tilts the head clockwise in the picture.
        distance: Metres.
        fraction: Eye-to-mouth distance over the photo's height, as seen from the front.
        shift: Displacement of the face to the right and down, fractions of the photo.
    """

    yaw: float
    pitch: float
    roll: float
    distance: float
    fraction: float
    shift: tuple[float, float]


@dataclass(frozen=True)
class LightSetting:
    """Light in the camera's frame; linear RGB.

    Attributes:
        kind: A key of `LIGHTS`.
        ambient: Constant, x (right), y (up) and z (to the camera) slope of the ambient irradiance, each RGB.
        azimuth: Degrees of the key light; 0 comes from the camera, 90 from the picture's right.
        elevation: Degrees above the horizon.
        key: Irradiance of the key light.
        window: -0.6..0.6, where a bright window is mirrored in the eyes.
        dim: 0 (bright day) .. 1 (night): sets the noise of the sensor.
    """

    kind: str
    ambient: tuple[tuple[float, float, float], ...]
    azimuth: float
    elevation: float
    key: tuple[float, float, float]
    window: float
    dim: float


@dataclass(frozen=True)
class _LightKind:
    """Mean parameters of one kind of light.

    Attributes:
        sky: Mean ambient irradiance.
        slopes: Of the ambient light towards the lit side, up, and to the camera; shares of `sky`.
        key: Mean irradiance of the key light.
        azimuth: Range, degrees to either side.
        elevation: Range, degrees above the horizon.
        sky_tint, key_tint: Linear RGB.
        dim: As in `LightSetting`.
    """

    sky: float
    slopes: tuple[float, float, float]
    key: float
    azimuth: tuple[float, float]
    elevation: tuple[float, float]
    sky_tint: tuple[float, float, float]
    key_tint: tuple[float, float, float]
    dim: float


_WHITE, _WARM, _COOL, _LOW_SUN = (1.0, 1.0, 1.0), (1.12, 1.0, 0.84), (0.94, 1.0, 1.08), (1.28, 1.0, 0.68)
_LIGHT_KINDS = {
    "overcast": _LightKind(0.50, (0.14, 0.20, 0.22), 0.49, (0, 70), (32, 60), _COOL, _WHITE, 0.0),
    "ceiling": _LightKind(0.42, (0.10, 0.30, 0.15), 0.56, (0, 50), (44, 70), _WARM, _WARM, 0.35),
    "window": _LightKind(0.40, (0.50, 0.06, 0.18), 0.78, (35, 85), (12, 42), _WHITE, _COOL, 0.2),
    "flash": _LightKind(0.30, (0.20, 0.10, 0.25), 0.78, (10, 35), (12, 34), _WARM, _WHITE, 0.45),
    "backlit": _LightKind(0.50, (0.16, 0.14, -0.30), 0.65, (110, 165), (19, 54), _COOL, _WARM, 0.1),
    "evening": _LightKind(0.36, (0.28, 0.08, 0.14), 0.63, (10, 80), (12, 38), _COOL, _LOW_SUN, 0.7),
}


def choose(rng: np.random.Generator, shares: Mapping[str, float]) -> str:
    """Draws a key of `shares` with the probability that is its value; they sum to 1."""
    return str(rng.choice(list(shares), p=list(shares.values())))


def draw_pose(rng: np.random.Generator) -> Pose:
    """Samples a pose: mostly near-frontal, sometimes towards profile, sometimes from above."""
    yaw = rng.uniform(-LARGEST_YAW, LARGEST_YAW) if rng.random() < WIDE_YAW else rng.normal(0, 18)
    above = rng.random() < FROM_ABOVE
    pitch = rng.uniform(15, 40) if above else rng.normal(0, 8)
    return Pose(
        yaw=float(np.clip(yaw, -LARGEST_YAW, LARGEST_YAW)),
        pitch=float(np.clip(pitch, -28, 40)),
        roll=float(np.clip(rng.normal(0, 6), -20, 20)),
        distance=float(np.exp(rng.uniform(np.log(0.55), np.log(2.2)))),
        fraction=float(rng.uniform(0.245, 0.315)),
        shift=(float(rng.normal(0, 0.015)), float(rng.normal(0, 0.015))),
    )


def draw_expression(rng: np.random.Generator) -> tuple[str, dict[str, float]]:
    """Samples an expression: its kind, and its coefficients 0..1 by name; both sides of the face differ a little."""
    kind = choose(rng, EXPRESSIONS)
    strength = rng.uniform(0.4, 1.0)
    coefficients: dict[str, float] = {}

    def both(name: str, amount: float) -> None:
        for side in ("Left", "Right"):
            coefficients[name + side] = float(np.clip(amount * rng.uniform(0.85, 1.15), 0, 1))

    if kind == "neutral":
        both("mouthSmile", rng.uniform(0.03, 0.20))
    elif kind == "slight smile":
        both("mouthSmile", 0.38 * strength)
        both("eyeSquint", 0.12 * strength)
    elif kind == "smile":
        both("mouthSmile", 0.62 * strength)
        both("cheekSquint", 0.30 * strength)
        both("eyeSquint", 0.25 * strength)
    elif kind == "grin":
        both("mouthSmile", 0.35 + 0.40 * strength)
        both("mouthUpperUp", rng.uniform(0.20, 0.55))
        both("mouthLowerDown", rng.uniform(0.20, 0.65))
        both("cheekSquint", 0.40 * strength)
        both("eyeSquint", 0.35 * strength)
        coefficients["jawOpen"] = float(rng.uniform(0.05, 0.20))
    elif kind == "talking":
        coefficients["jawOpen"] = float(rng.uniform(0.04, 0.22))
        coefficients["mouthPucker"] = float(rng.uniform(0, 0.2))
        both("mouthSmile", rng.uniform(0, 0.35))
    elif kind == "squint":
        both("eyeSquint", 0.5 * strength)
        both("eyeBlink", rng.uniform(0.05, 0.25))
        both("cheekSquint", 0.3 * strength)
    elif kind == "blink":
        both("eyeBlink", 1.0)
    elif kind == "frown":
        both("browDown", 0.40 * strength)
        both("mouthFrown", 0.20 * strength)
    elif kind == "surprise":
        coefficients["browInnerUp"] = float(0.5 * strength)
        both("browOuterUp", 0.4 * strength)
        both("eyeWide", 0.3 * strength)
        coefficients["jawOpen"] = float(rng.uniform(0.0, 0.25))
    return kind, coefficients


def draw_light(rng: np.random.Generator) -> LightSetting:
    """Samples one of six kinds of light; their strengths give a medium skin the same mean exposure."""
    kind = choose(rng, LIGHTS)
    means = _LIGHT_KINDS[kind]
    side = float(rng.choice((-1.0, 1.0)))
    colour = np.array(means.sky_tint) * means.sky * rng.uniform(0.75, 1.25) * rng.uniform(0.95, 1.05, 3)
    across, up, front = np.array(means.slopes) * rng.uniform(0.6, 1.4, 3)
    key = np.array(means.key_tint) * means.key * rng.uniform(0.7, 1.3) * rng.uniform(0.95, 1.05, 3)
    return LightSetting(
        kind=kind,
        ambient=tuple(_rgb(colour * share) for share in (1.0, side * across, up, front)),
        azimuth=float(side * rng.uniform(*means.azimuth)),
        elevation=float(rng.uniform(*means.elevation)),
        key=_rgb(key),
        window=float(np.clip(0.35 * side + rng.normal(0, 0.15), -0.6, 0.6)),
        dim=float(np.clip(means.dim + rng.normal(0, 0.1), 0, 1)),
    )


def _rgb(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
