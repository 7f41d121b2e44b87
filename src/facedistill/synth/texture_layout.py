"""The layout of the skin texture: a cylindrical projection of the resting head.

Texture coordinates belong to the vertices of the resting head, so the texture follows every shape and expression.
"""

import numpy as np

from facedistill.synth.arrays import Floats

ROWS, COLUMNS = 384, 640
TOP, BOTTOM = 8.60, 5.70  # decimetres; rows run from the crown to the collar bones
AXIS_Z = 0.25  # z of the cylinder's axis, decimetres; its x is 0
_FRONT = 1.6  # columns per radian at the face, relative to an even spread; the back of the head gets 2 - _FRONT


def azimuth(points: Floats) -> Floats:
    """Angle of points [..., 3] round the vertical axis, float32 [...], radians: 0 at the nose, positive to the left."""
    return np.asarray(np.arctan2(points[..., 0], points[..., 2] - AXIS_Z), np.float32)


def texture_coordinates(points: Floats) -> Floats:
    """Row and column in the texture, float32 [..., 2], pixels, of points of the resting head [..., 3]."""
    row = (TOP - points[..., 1]) / (TOP - BOTTOM) * ROWS
    around = azimuth(points) / np.pi
    spread = np.sign(around) * np.abs(around) * (_FRONT - (_FRONT - 1) * np.abs(around))
    column = (0.5 + 0.5 * spread) * COLUMNS
    return np.stack([np.clip(row, 0, ROWS - 1), np.clip(column, 0, COLUMNS - 1)], axis=-1).astype(np.float32)
