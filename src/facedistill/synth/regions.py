"""Which part of the face each pixel of the sheet belongs to, told by its place on the resting head."""

import numpy as np
from numpy.typing import NDArray

from facedistill.synth.assets import Assets
from facedistill.synth.curves import smooth_step
from facedistill.synth.layout import azimuth
from facedistill.synth.noise import streaks
from facedistill.synth.person import Person

Floats = NDArray[np.float32]


def _blob(x: Floats, y: Floats, centre: tuple[float, float], size: tuple[float, float]) -> Floats:
    return np.exp(-0.5 * (((x - centre[0]) / size[0]) ** 2 + ((y - centre[1]) / size[1]) ** 2)).astype(np.float32)


def _near_curve(x: Floats, y: Floats, knots: list[tuple[float, float]], width: float) -> Floats:
    """1 on a polyline, falling off over `width` (decimetres) and towards its ends."""
    best = np.zeros_like(x)
    pieces = len(knots) - 1
    for number, ((x0, y0), (x1, y1)) in enumerate(zip(knots, knots[1:], strict=False)):
        dx, dy = x1 - x0, y1 - y0
        t = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
        away = np.hypot(x - x0 - t * dx, y - y0 - t * dy)
        along = (number + t) / pieces
        fade = np.minimum(1, 4 * np.minimum(along + 0.1, 1.1 - along))
        best = np.maximum(best, np.exp(-0.5 * (away / width) ** 2) * fade)
    return best.astype(np.float32)


class Regions:
    """Masks float32 [ROWS, COLUMNS], 0..1, symmetric. Lengths in decimetres on the resting average head."""

    def __init__(self, assets: Assets) -> None:
        points = assets.sheet_points
        self.x = np.abs(points[..., 0])
        self.y, self.z = points[..., 1], points[..., 2]
        self.signed_x = points[..., 0]
        self.around = np.abs(azimuth(points))
        x, y = self.x, self.y
        front = smooth_step(0.45, 0.75, self.z)
        self.lips = np.clip(assets.sheet_lips, 0, 1)
        self.cheeks = _blob(x, y, (0.45, 6.95), (0.17, 0.15)) * front
        self.nose = _blob(x, y, (0.0, 6.95), (0.13, 0.10)) * front
        self.nostril_sides = _blob(x, y, (0.19, 6.88), (0.06, 0.08)) * front
        self.chin = _blob(x, y, (0.0, 6.33), (0.18, 0.12)) * front
        self.ears = smooth_step(0.80, 0.86, x) * smooth_step(7.5, 7.35, y) * smooth_step(6.6, 6.75, y)
        self.forehead = smooth_step(7.50, 7.65, y) * smooth_step(0.62, 0.42, x) * smooth_step(8.15, 8.0, y) * front
        self.around_eyes = _blob(x, y, (0.31, 7.27), (0.20, 0.13)) * front
        self.inner_eye = _blob(x, y, (0.15, 7.25), (0.05, 0.06)) * front
        self.around_mouth = _blob(x, y, (0.0, 6.62), (0.34, 0.20)) * front
        self.greasy = np.clip(_blob(x, y, (0, 7.0), (0.10, 0.22)) + 0.7 * self.forehead + 0.5 * self.chin, 0, 1) * front
        self.lids = (
            _blob(x, y, (0.31, 7.365), (0.15, 0.05)) * smooth_step(7.28, 7.33, y) * smooth_step(0.10, 0.16, x) * front
        )
        self.frown_lines = _near_curve(x, y, [(0.06, 7.42), (0.075, 7.60)], 0.016) * front
        self.crows_feet = (
            sum(
                _near_curve(x, y, [(0.50, 7.27 + 0.02 * k), (0.62, 7.24 + 0.075 * k)], 0.011)
                for k in (-1.0, 0.2, 1.3)
            )
            * front
        )
        self.eye_bags = _near_curve(x, y, [(0.15, 7.20), (0.24, 7.10), (0.36, 7.08), (0.47, 7.14)], 0.022) * front
        self.laugh_lines = _near_curve(x, y, [(0.20, 6.93), (0.30, 6.80), (0.36, 6.66), (0.37, 6.52)], 0.022) * front
        rng = np.random.default_rng(21)
        self._strands = streaks(rng, *self.x.shape, length=9, width=1.25)

    def brow_hairs(self, person: Person, rng: np.random.Generator) -> Floats:
        """Where eyebrow hair covers the skin, 0..1."""
        inner = 0.09 + 0.085 * person.brow_gap
        outer = 0.47 + 0.09 * person.brow_length
        base = 7.415 + 0.075 * person.brow_height
        along = (self.x - inner) / (outer - inner)
        arch = 0.015 + 0.055 * person.brow_arch
        tilt = 0.028 * person.brow_tilt
        rise = np.interp(along, [-0.2, 0.0, 0.35, 0.65, 1.0, 1.2], [0.25, 0.35, 0.75, 1.0, 0.35, -0.1])
        middle = base + arch * rise + tilt * (along - 0.5)
        half = (0.020 + 0.042 * person.brow_thickness) * np.interp(along, [0, 0.15, 0.6, 1.0], [0.8, 1.0, 0.85, 0.3])
        shift = (int(rng.integers(200)), int(rng.integers(600)))
        strands = np.roll(self._strands, shift, axis=(0, 1))
        # Hairs lean outwards: shear the strands along the brow.
        away = np.abs(self.y - middle) / half
        body = smooth_step(1.35, 0.35, away.astype(np.float32) + 0.75 * (strands - 0.5))
        ends = smooth_step(-0.06, 0.10, along.astype(np.float32) + 0.12 * (strands - 0.5))
        ends = ends * smooth_step(1.08, 0.9, along.astype(np.float32))
        between = 0.0 if person.brow_gap > 0.25 else 0.25 - person.brow_gap
        bridge = between * _blob(self.x, self.y, (0.0, base), (0.06, 0.03))
        density = person.brow_density * (0.62 + 0.5 * strands)
        covered = np.clip(body * ends * density + bridge * strands, 0, 0.97)
        return np.where(self.z > 0.6, covered, 0).astype(np.float32)
