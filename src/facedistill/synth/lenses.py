"""Compositing of spectacles: thin rims, their shadow, tinted and reflecting lenses."""

from dataclasses import dataclass

import cv2
import numpy as np

from facedistill.synth.arrays import Floats
from facedistill.synth.camera import PIVOT, Camera
from facedistill.synth.light import Light
from facedistill.synth.spectacles import Spectacles
from facedistill.synth.strokes import draw_line, fill_polygon

_STAND_OFF = 0.14  # decimetres from the rims to the skin that their shadow falls on
_LARGEST_SHIFT = 4.0  # pixels of the shadow


@dataclass(frozen=True, eq=False)
class Lenses:
    """Spectacles to composite over a shaded picture.

    Attributes:
        spectacles: Their lines and lenses in the head frame.
        colour: Linear RGB of the rims.
        tint: 0 (clear) .. 1 (black) of the lenses.
    """

    spectacles: Spectacles
    colour: tuple[float, float, float]
    tint: float

    def composite(self, rgba: Floats, inverse_depth: Floats, camera: Camera, light: Light) -> None:
        """Draws the spectacles into `rgba` [H, W, 4] where they are in front of `inverse_depth` [2H, 2W]."""
        rows, columns = rgba.shape[:2]
        rim, gleam, glass, down = (np.zeros((rows, columns), np.float32) for _ in range(4))
        for line in self.spectacles.lines:
            seen = camera.project(line[:, :3])
            scale = camera.focal / seen[:, 2] / 2
            path = np.stack([seen[:, 0] / 2, seen[:, 1] / 2, 1 / seen[:, 2], line[:, 3] / 2 * scale, line[:, 4]], 1)
            draw_line(path.astype(np.float32), inverse_depth, rim, gleam)
        for outline in self.spectacles.panes:
            seen = camera.project(outline)
            flat = np.stack([seen[:, 0] / 2, seen[:, 1] / 2, 1 / seen[:, 2]], axis=1)
            fill_polygon(flat.astype(np.float32), inverse_depth, glass, down)
        where = np.flatnonzero((rim + glass).any(axis=1))
        if not len(where):
            return
        band = slice(max(int(where[0]) - 5, 0), min(int(where[-1]) + 6, rows))
        self._shadow(rgba[band], rim[band], camera, light)
        self._glaze(rgba[band], glass[band], down[band], camera, light)
        lit = np.maximum(light.ambient[0] + 0.4 * light.ambient[2], 0) + 0.5 * light.key
        metal = np.array(self.colour, np.float32) * (0.55 + 0.6 * gleam[band, :, None]) + 0.02 * gleam[band, :, None]
        share = rim[band, :, None]
        rgba[band, :, :3] += share * (metal * lit - rgba[band, :, :3])
        rgba[band, :, 3:] += share * (1 - rgba[band, :, 3:])

    def _shadow(self, rgba: Floats, rim: Floats, camera: Camera, light: Light) -> None:
        """Darkens the skin by the shadow of the rims: blurred, and displaced away from the light."""
        right, up, toward = (camera.rotation @ light.direction).tolist()
        if toward < 0.15:
            return
        shift = _STAND_OFF * camera.focal / camera.distance / 2 / toward
        x, y = np.clip([-shift * right, shift * up], -_LARGEST_SHIFT, _LARGEST_SHIFT)
        moved = cv2.warpAffine(rim, np.array([[1, 0, x], [0, 1, y]], np.float32), rim.shape[::-1])
        key, sky = float(light.key.mean()), float(light.ambient[0].mean())
        strength = 0.55 * key / (key + sky + 1e-6)
        rgba[..., :3] *= 1 - strength * cv2.GaussianBlur(moved, (0, 0), 1.1)[..., None]

    def _glaze(self, rgba: Floats, glass: Floats, down: Floats, camera: Camera, light: Light) -> None:
        """Applies the lenses: their tint and the reflection of the sky, both stronger towards their top."""
        toward = camera.position() - PIVOT
        facing = max(float(toward @ light.direction) / float(np.linalg.norm(toward)), 0.0)
        hue = np.array(self.colour, np.float32)
        hue = 0.75 + 0.25 * hue / max(float(hue.max()), 1e-6)
        dark = self.tint * (1.0 - 0.12 * down * (self.tint > 0.5))[..., None]
        through = (0.97 * (1 - dark)) * hue if self.tint > 0.5 else 0.97 * (1 - dark)
        share = glass[..., None]
        rgba[..., :3] *= 1 - share + share * through
        x = np.linspace(-1, 1, glass.shape[1], dtype=np.float32)[None]
        slanting = 0.6 + 0.4 * np.sin(5 * x + 2.5 * down)
        sheen = (0.004 + (0.012 + 0.045 * self.tint) * (1 - down) ** 2) * (1 + facing) * slanting
        mirrored = np.maximum(light.ambient[0] + light.ambient[2], 0) + 0.3 * light.key
        rgba[..., :3] += (glass * sheen)[..., None] * mirrored
        rgba[..., 3] += glass * self.tint * (1 - rgba[..., 3])
