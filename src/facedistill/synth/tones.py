"""Where a face is lighter or darker than the skin's own colour: hollows, bones, and how they differ between people."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


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
# cheekbones catch light and the sockets keep shadow, more than this head's relief makes them.
TONES = {
    "bridge of the nose": Tone((0.0, 7.14), (0.07, 0.17), 0.43, 0.16),
    "cheekbones": Tone((0.50, 7.02), (0.14, 0.12), 0.41, 0.15),
    "mouth": Tone((0.0, 6.58), (0.22, 0.16), 0.12, 0.15),
    "sockets": Tone((0.24, 7.19), (0.11, 0.075), -0.44, 0.18),
    "brow bones": Tone((0.20, 7.48), (0.13, 0.07), -0.06, 0.22),
    "temples": Tone((0.48, 7.45), (0.10, 0.09), 0.0, 0.25),
    "inner eyes": Tone((0.14, 7.30), (0.07, 0.07), 0.0, 0.20),
    "sides of the nose": Tone((0.17, 6.97), (0.07, 0.09), 0.0, 0.18),
    "between the brows": Tone((0.0, 7.50), (0.09, 0.08), 0.02, 0.14),
    "cheeks": Tone((0.42, 6.78), (0.12, 0.13), 0.0, 0.20),
    "chin": Tone((0.0, 6.33), (0.24, 0.13), 0.20, 0.14),
    "nostrils": Tone((0.12, 6.83), (0.09, 0.07), -0.25, 0.14),
    "forehead": Tone((0.15, 7.63), (0.22, 0.11), 0.08, 0.14),
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
