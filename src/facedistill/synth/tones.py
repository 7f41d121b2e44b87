"""Where a face is lighter or darker than the skin's own colour: hollows, bones, and how they differ between people."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facedistill.synth.arrays import Floats


@dataclass(frozen=True)
class Tone:
    """A soft spot on both sides of the face.

    Attributes:
        centre: Decimetres from the middle, and up, on the resting average head.
        size: Sigma in the same directions, decimetres.
        mean: Logarithm of how much lighter people have it on average.
        sigma: How widely people differ.
    """

    centre: tuple[float, float]
    size: tuple[float, float]
    mean: float
    sigma: float


# The means were found by regressing MTCNN's certainty on spots of colour: on photos the bridge of the nose and the
# cheekbones catch light and the sockets keep shadow, more than this head's relief makes them. Then, with the sigmas,
# they were moved to where a recogniser finds people less alike and the detector loses none, as were `traits.MEANS`.
TONES = {
    "bridge of the nose": Tone((0.0, 7.14), (0.07, 0.17), 0.39, 0.19),
    "cheekbones": Tone((0.50, 7.02), (0.14, 0.12), 0.335, 0.18),
    "mouth": Tone((0.0, 6.58), (0.22, 0.16), 0.12, 0.18),
    "sockets": Tone((0.24, 7.19), (0.11, 0.075), -0.44, 0.22),
    "brow bones": Tone((0.20, 7.48), (0.13, 0.07), 0.015, 0.26),
    "temples": Tone((0.48, 7.45), (0.10, 0.09), 0.075, 0.30),
    "inner eyes": Tone((0.14, 7.30), (0.07, 0.07), -0.075, 0.24),
    "sides of the nose": Tone((0.17, 6.97), (0.07, 0.09), 0.075, 0.22),
    "between the brows": Tone((0.0, 7.50), (0.09, 0.08), 0.02, 0.17),
    "cheeks": Tone((0.42, 6.78), (0.12, 0.13), 0.0, 0.24),
    "chin": Tone((0.0, 6.33), (0.24, 0.13), 0.20, 0.17),
    "nostrils": Tone((0.12, 6.83), (0.09, 0.07), -0.175, 0.17),
    "forehead": Tone((0.15, 7.63), (0.22, 0.11), 0.20, 0.17),
}


def tone_masks(x: Floats, y: Floats, front: NDArray[np.bool_]) -> Floats:
    """How far each tone reaches, float32 [len(TONES), rows, columns], 0..1.

    Args:
        x: Distance from the middle of the face, decimetres, [rows, columns].
        y: Height, likewise.
        front: Whether it is the face, not what lies behind.
    """
    spots = [
        front * np.exp(-0.5 * (((x - tone.centre[0]) / tone.size[0]) ** 2 + ((y - tone.centre[1]) / tone.size[1]) ** 2))
        for tone in TONES.values()
    ]
    return np.stack(spots).astype(np.float32)
