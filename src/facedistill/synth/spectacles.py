"""Spectacles: frames, and their fit to a face."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facedistill.synth.arrays import Floats


@dataclass(frozen=True)
class Frame:
    """A pair of spectacles; decimetres.

    Attributes:
        width, height: Half axes of a lens.
        power: Exponent of its superellipse: 2 round, 4 squarish.
        droop: Lowering of its outer half (negative: cat-eye frames).
        upper, lower: Width of the rim above and below the lens; 0 where there is none.
        temple: Width of the temples.
    """

    width: float
    height: float
    power: float
    droop: float
    upper: float
    lower: float
    temple: float


FRAMES: dict[str, Frame] = {
    "round": Frame(0.225, 0.205, 2.0, 0.0, 0.015, 0.013, 0.014),
    "oval": Frame(0.245, 0.165, 2.3, 0.0, 0.014, 0.012, 0.014),
    "rectangle": Frame(0.262, 0.165, 3.6, 0.0, 0.020, 0.015, 0.024),
    "square": Frame(0.262, 0.195, 3.2, 0.0, 0.025, 0.018, 0.028),
    "cat": Frame(0.262, 0.175, 2.7, -0.05, 0.022, 0.014, 0.022),
    "aviator": Frame(0.270, 0.215, 2.4, 0.03, 0.012, 0.010, 0.012),
    "semi": Frame(0.258, 0.160, 3.0, 0.0, 0.020, 0.0, 0.018),
    "rimless": Frame(0.252, 0.165, 2.8, 0.0, 0.004, 0.004, 0.012),
}
_POINTS = 40
_EYES_APART, _EARS_APART = 0.62, 1.52  # of the average face, for which `FRAMES` are given


@dataclass(frozen=True, eq=False)
class Spectacles:
    """Lines and lenses in the head frame.

    Attributes:
        lines: Each float32 [N, 5]: x, y, z, width, brightness.
        panes: Two of float32 [N, 3], the lenses' outlines.
    """

    lines: list[Floats]
    panes: list[Floats]


def fit_spectacles(frame: Frame, eyes: Floats, bridge_z: float, ears: Floats) -> Spectacles:
    """Spectacles scaled to a face, with the eyes behind the middle of the lenses.

    Args:
        frame: Their shape.
        eyes: [2, 3] centres of the eyes, the subject's right one first, head frame.
        bridge_z: z of the brows and nose beside the lenses, decimetres.
        ears: [2, 3] points where the temples rest.
    """
    apart = float(np.linalg.norm(eyes[1] - eyes[0])) / _EYES_APART
    size = float(np.clip(0.5 * apart + 0.5 * np.linalg.norm(ears[1] - ears[0]) / _EARS_APART, 0.85, 1.15))
    angle = np.linspace(0, 2 * np.pi, _POINTS + 1)
    across = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** (2 / frame.power)
    up = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** (2 / frame.power)
    front = max(float(eyes[:, 2].mean()) + 0.14, bridge_z + 0.02)
    level = float(eyes[:, 1].mean()) - 0.02
    middle_x = float(eyes[:, 0].mean())
    width = frame.lower + (frame.upper - frame.lower) * np.clip(0.5 + 1.6 * up, 0, 1)
    # Where bridge and temple join the rim, on its inner and its outer side.
    joints = [np.argmin(np.abs(up[:-1] - 0.4) + np.where(way * across[:-1] > 0, 0, 9)) for way in (-1.0, 1.0)]
    lines, rims = [], []
    for side, sign in ((0, -1.0), (1, 1.0)):
        x = float(eyes[side, 0]) + sign * (0.01 + size * frame.width * across)
        lean = across if frame.droop < 0 else -up
        y = level + size * (frame.height * up - frame.droop * across * lean * np.where(across > 0, 1, 0.3))
        z = front - 0.16 * (x - middle_x) ** 2 + 0.04 * up * frame.height
        rims.append(np.stack([x, y, z], axis=1))
        lines.append(_line(rims[-1], width, 0.6 + 0.5 * np.clip(up, 0, 1)))
    inner, hinges = ([rim[joint] for rim in rims] for joint in joints)
    arch = np.linspace(0, 1, 7)[:, None]
    bridge = inner[0] * (1 - arch) + inner[1] * arch + np.sin(np.pi * arch) * [0, 0.035, 0.03]
    lines.append(_line(bridge, max(frame.upper, 0.012) * np.ones(7), np.ones(7)))
    for side in range(2):
        temple = hinges[side] * (1 - arch) + (ears[side] + [0, 0.04, 0]) * arch
        lines.append(_line(temple, frame.temple * np.ones(7), 0.8 * np.ones(7)))
    return Spectacles(lines, [rim[:-1].astype(np.float32) for rim in rims])


def _line(points: NDArray[np.float64], width: NDArray[np.float64], gleam: NDArray[np.float64]) -> Floats:
    return np.concatenate([points, width[:, None], gleam[:, None]], axis=1).astype(np.float32)
