"""The hairline: its height round the head, and the distance of points from it."""

import numpy as np

from facedistill.synth.arrays import Floats
from facedistill.synth.masks import smooth_step
from facedistill.synth.person import Person
from facedistill.synth.texture_layout import azimuth

# Height of the hairline (decimetres on the resting head) by the angle from the nose (radians).
_ANGLES = np.array([0.0, 0.30, 0.52, 0.70, 0.88, 1.05, 1.22, 1.42, 1.62, 1.85, 2.3, 2.8, 3.2])
_FEMALE = np.array([7.93, 7.92, 7.87, 7.74, 7.59, 7.45, 7.30, 7.16, 7.40, 7.10, 6.85, 6.72, 6.70])
_MALE = np.array([7.94, 7.96, 7.96, 7.82, 7.62, 7.46, 7.20, 7.00, 7.40, 7.10, 6.85, 6.74, 6.72])
_STEPS = np.linspace(-3.2, 3.2, 1025)
_RADIUS = 0.8  # of the head, roughly, decimetres


def hairline_depth(points: Floats, person: Person) -> Floats:
    """Distance of points [..., 3] of the resting head inside the hairline, float32 [...], dm; negative outside."""
    line = _hairline(person)
    steep = np.gradient(line, _RADIUS * _STEPS)  # the nearest point of a steep line lies beside, not below
    nearer = (1 / np.sqrt(1 + steep**2)).astype(np.float32)
    step = np.rint((azimuth(points) - _STEPS[0]) / (_STEPS[1] - _STEPS[0])).astype(np.int32)
    depth = (points[..., 1] - line[step]) * nearer[step]
    bald = 1.25 * max(person.recession - 0.42, 0.0) / 0.58
    if bald > 0:
        from_crown = points - np.array([0.0, 8.45, 0.25], np.float32)
        depth = np.minimum(depth, np.sqrt(np.einsum("...c,...c->...", from_crown, from_crown)) - bald)
    return np.asarray(depth, np.float32)


def _hairline(person: Person) -> Floats:
    """The height of the hairline at `_STEPS`, float32 [1025], decimetres."""
    own = np.random.default_rng((person.skin_seed, 0x4A1B))
    angle = np.abs(_STEPS)
    line = np.interp(angle, _ANGLES, _FEMALE + person.gender * (_MALE - _FEMALE))
    front = smooth_step(1.3, 0.7, angle)
    line += 0.08 * person.hairline * front
    # The middle varies from a peak to an arc, and so do the temples.
    line += own.uniform(-0.06, 0.03) * np.exp(-0.5 * (angle / 0.16) ** 2)
    line += own.uniform(-0.03, 0.06) * np.exp(-0.5 * ((angle - 0.55) / 0.15) ** 2)
    line += own.uniform(-0.05, 0.05) * smooth_step(0.75, 1.1, angle) * smooth_step(1.45, 1.2, angle)
    line += 0.015 * np.sin(5.0 * _STEPS + own.uniform(0, 6)) * front
    # Recession starts at the temples, then moves the whole front back.
    temples = np.exp(-0.5 * ((angle - 0.55) / 0.2) ** 2)
    line += 0.22 * person.recession * temples + 0.65 * max(person.recession - 0.25, 0.0) * front
    return np.asarray(line, np.float32)
