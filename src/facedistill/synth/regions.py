"""Masks of the parts of the face over the skin texture, by position on the resting head."""

import numpy as np

from facedistill.synth.arrays import Floats
from facedistill.synth.assets import Assets
from facedistill.synth.masks import bounding_window, gaussian, near_curve, smooth_step
from facedistill.synth.noise import streaks
from facedistill.synth.person import Person
from facedistill.synth.texture_layout import COLUMNS, ROWS, azimuth

LID_SPLIT = 7.277  # upper lashes grow above this height of the resting head, lower ones below


class Regions:
    """Masks of facial regions, float32 [ROWS, COLUMNS], 0..1, the same on both sides of the face.

    `x`, `signed_x`, `y`, `z` (decimetres, `x` without its sign) and `around` (radians, unsigned azimuth) give the point
    of the resting average head under each pixel.
    """

    def __init__(self, assets: Assets) -> None:
        self.signed_x, self.y, self.z = np.moveaxis(assets.sheet_points, -1, 0)
        self.x = np.abs(self.signed_x)
        self.around = np.abs(azimuth(assets.sheet_points))
        x, y = self.x, self.y
        front = smooth_step(0.45, 0.75, self.z)
        self.lips = np.clip(assets.sheet_lips, 0, 1)
        self.cheeks = gaussian(x, y, (0.45, 6.95), (0.17, 0.15)) * front
        self.nose = gaussian(x, y, (0.0, 6.95), (0.13, 0.10)) * front
        self.nostril_sides = gaussian(x, y, (0.19, 6.88), (0.06, 0.08)) * front
        self.chin = gaussian(x, y, (0.0, 6.33), (0.18, 0.12)) * front
        self.ears = smooth_step(0.80, 0.86, x) * smooth_step(7.5, 7.35, y) * smooth_step(6.6, 6.75, y)
        self.forehead = smooth_step(7.50, 7.65, y) * smooth_step(0.62, 0.42, x) * smooth_step(8.15, 8.0, y) * front
        self.around_eyes = gaussian(x, y, (0.31, 7.27), (0.20, 0.13)) * front
        self.inner_eye = gaussian(x, y, (0.15, 7.25), (0.05, 0.06)) * front
        self.around_mouth = gaussian(x, y, (0.0, 6.62), (0.34, 0.20)) * front
        greasy = gaussian(x, y, (0, 7.0), (0.10, 0.22)) + 0.7 * self.forehead + 0.5 * self.chin
        self.greasy = np.clip(greasy, 0, 1) * front
        lids = gaussian(x, y, (0.31, 7.365), (0.15, 0.05)) * smooth_step(7.28, 7.33, y)
        self.lids = lids * smooth_step(0.10, 0.16, x) * front
        self.lid_line = self._lid_lines(assets) * front
        self.frown_lines = near_curve(x, y, [(0.06, 7.42), (0.075, 7.60)], 0.016) * front
        feet = ([(0.50, 7.27 + 0.02 * k), (0.62, 7.24 + 0.075 * k)] for k in (-1.0, 0.2, 1.3))
        self.crows_feet = sum(near_curve(x, y, knots, 0.011) for knots in feet) * front
        self.eye_bags = near_curve(x, y, [(0.15, 7.20), (0.24, 7.10), (0.36, 7.08), (0.47, 7.14)], 0.022) * front
        self.laugh_lines = near_curve(x, y, [(0.20, 6.93), (0.30, 6.80), (0.36, 6.66), (0.37, 6.52)], 0.022) * front
        self._brow_window = bounding_window((y > 7.30) & (y < 7.72) & (x < 0.70) & (self.z > 0.6))
        self._strands = streaks(np.random.default_rng(21), ROWS, COLUMNS, length=9, width=1.25)

    def _lid_lines(self, assets: Assets) -> Floats:
        """The rims of the lids, where lashes grow: strong above the eye, weak below."""
        total = np.zeros_like(self.x)
        roots = assets.points[assets.vertices_of("lash") & (assets.lash_tips < 0.3) & (assets.points[:, 0] > 0)]
        for rim, strength in ((roots[roots[:, 1] > LID_SPLIT], 0.75), (roots[roots[:, 1] < LID_SPLIT], 0.18)):
            rim = rim[np.argsort(rim[:, 0])]
            height = np.interp(self.x, *rim[:, :2].T)
            inner, outer = rim[[0, -1], 0]
            along = smooth_step(inner - 0.03, inner + 0.04, self.x) * smooth_step(outer + 0.05, outer - 0.02, self.x)
            total = np.maximum(total, strength * along * np.exp(-0.5 * ((self.y - height) / 0.016) ** 2))
        return np.asarray(total, np.float32)

    def brow_hairs(self, person: Person, rng: np.random.Generator) -> tuple[tuple[slice, slice], Floats]:
        """Eyebrows: a window of the texture (rows, columns), and the share of skin that hair covers there, 0..1."""
        window = self._brow_window
        x, y = self.x[window], self.y[window]
        inner = 0.09 + 0.085 * person.brow_gap
        outer = 0.47 + 0.09 * person.brow_length
        base = 7.395 + 0.075 * person.brow_height
        along = ((x - inner) / (outer - inner)).astype(np.float32)
        rise = np.interp(along, [-0.2, 0.0, 0.35, 0.65, 1.0, 1.2], [0.45, 0.55, 0.8, 1.0, 0.25, -0.3])
        middle = base + (0.01 + 0.05 * person.brow_arch) * rise + 0.022 * person.brow_tilt * (along - 0.5)
        half = (0.022 + 0.038 * person.brow_thickness) * np.interp(along, [0, 0.15, 0.6, 1.0], [0.8, 1.0, 0.85, 0.3])
        strands = np.roll(self._strands, (int(rng.integers(200)), int(rng.integers(600))), axis=(0, 1))[window]
        away = (np.abs(y - middle) / half).astype(np.float32)
        body = smooth_step(1.45, 0.25, away + 0.75 * (strands - 0.5))
        ends = smooth_step(-0.08, 0.14, along + 0.14 * (strands - 0.5)) * smooth_step(1.08, 0.86, along)
        bridge = max(0.25 - person.brow_gap, 0.0) * gaussian(x, y, (0.0, base), (0.06, 0.03))
        density = (0.35 + 0.65 * person.brow_density) * (0.74 + 0.40 * strands)
        covered = np.clip(body * ends * density + bridge * strands, 0, 0.95)
        return window, np.where(self.z[window] > 0.6, covered, 0).astype(np.float32)
