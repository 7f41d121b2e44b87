"""Where hair grows on the head: in front of the ears, above the forehead, down to the nape."""

import numpy as np
from numpy.typing import NDArray

from facedistill.synth.curves import smooth_step
from facedistill.synth.layout import azimuth
from facedistill.synth.person import Person

Floats = NDArray[np.float32]

# Height of the hairline (decimetres on the resting head) by the angle from the nose (radians).
_ANGLES = np.array([0.0, 0.35, 0.62, 0.85, 1.05, 1.22, 1.42, 1.62, 1.85, 2.3, 2.8, 3.2])
_FEMALE = np.array([7.86, 7.86, 7.81, 7.68, 7.55, 7.30, 7.16, 7.40, 7.10, 6.85, 6.72, 6.70])
_MALE = np.array([7.88, 7.91, 7.89, 7.74, 7.58, 7.22, 7.00, 7.40, 7.10, 6.85, 6.74, 6.72])


def rooted(points: Floats, person: Person) -> Floats:
    """How deep inside the hairline places of the resting head [..., 3] lie: decimetres, negative where none grows."""
    angle = np.abs(azimuth(points))
    line = _FEMALE + person.gender * (_MALE - _FEMALE)
    line = np.interp(angle, _ANGLES, line).astype(np.float32)
    front = smooth_step(1.3, 0.7, angle)
    line = line + 0.07 * person.hairline * front
    # Receding starts at the temples, then moves the whole front back.
    temples = np.exp(-0.5 * ((angle - 0.55) / 0.2) ** 2)
    line = line + 0.22 * person.recession * temples + 0.75 * max(person.recession - 0.25, 0.0) * front
    line = line + 0.012 * np.sin(7.0 * azimuth(points) + person.skin_seed % 7)
    depth = points[..., 1] - line
    bald = 1.25 * max(person.recession - 0.42, 0.0) / 0.58
    if bald > 0:
        from_crown = points - np.array([0.0, 8.45, 0.25], np.float32)
        depth = np.minimum(depth, np.sqrt(np.einsum("...c,...c->...", from_crown, from_crown)) - bald)
    inside: Floats = depth.astype(np.float32)
    return inside
