"""Tones: regions where a face is lighter or darker than its mean skin colour, and how people differ in them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facedistill.synth.arrays import Floats
from facedistill.synth.masks import gaussian


@dataclass(frozen=True)
class Tone:
    """A Gaussian spot on both sides of the face in which the skin is lighter or darker.

    Attributes:
        centre: Distance from the middle of the face and height on the resting average head, decimetres.
        sigma: Standard deviations of the Gaussian in the same directions, decimetres.
        mean: Mean over people of the logarithm of the factor on linear RGB.
        spread: Its standard deviation over people.
    """

    centre: tuple[float, float]
    sigma: tuple[float, float]
    mean: float
    spread: float


# The means come from a regression of MTCNN's score on spots of colour: in photos the bridge of the nose and the
# cheekbones are lighter and the sockets darker than this head's relief makes them. Means and spreads were then moved to
# where a recogniser separates people better at the same detection rate, as were `traits.MEANS`.
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
    """Mask of each tone, float32 [len(TONES), rows, columns], 0..1.

    Args:
        x: Distance from the middle of the face, decimetres, [rows, columns].
        y: Height, decimetres, [rows, columns].
        front: Whether a pixel shows the face and not the back of the head, [rows, columns].
    """
    return np.stack([front * gaussian(x, y, tone.centre, tone.sigma) for tone in TONES.values()])
