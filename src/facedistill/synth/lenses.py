"""Spectacle lenses: they darken what is behind them and mirror a little of the light."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facedistill.synth.baking import blank_buffers
from facedistill.synth.camera import PIVOT, Camera
from facedistill.synth.light import Light
from facedistill.synth.raster import NOTHING, rasterise
from facedistill.synth.wearing import Surface

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Lenses:
    """Two lenses; `clear` is what share of the light they let through."""

    glass: Surface
    clear: float

    def lay_over(self, covered: Floats, nearness: Floats, camera: Camera, light: Light) -> None:
        """Changes a shaded picture [H, W, 4] where a lens is in front of `nearness` [2H, 2W]."""
        screen = camera.project(self.glass.points)
        _, owner, weights = blank_buffers(*nearness.shape)
        levels = np.full(len(self.glass.triangles), -1, np.float32)
        blank = np.zeros((1, 1), np.float32)
        rasterise(
            screen, self.glass.triangles, 0, False, screen[:, :2].copy(), blank, levels, nearness.copy(), owner, weights
        )
        seen = (owner != NOTHING).astype(np.float32)
        rows, columns = covered.shape[:2]
        share = seen.reshape(rows, 2, columns, 2).mean(axis=(1, 3))
        where = np.flatnonzero(share.any(axis=1))
        if not len(where):
            return
        band = slice(int(where[0]), int(where[-1]) + 1)
        y = np.linspace(1, 0, band.stop - band.start, dtype=np.float32)[:, None]
        x = np.linspace(-1, 1, columns, dtype=np.float32)[None]
        # A slanting sheen, brighter towards the top, stronger where the lens faces what lights it.
        toward = camera.position() - PIVOT
        facing = max(float(toward @ light.direction) / float(np.linalg.norm(toward)), 0.0)
        sheen = (0.006 + 0.025 * y**2) * (1 + 1.5 * facing) * (1 + 0.5 * np.sin(4 * x + 3 * y))
        mirrored = np.maximum(light.ambient[0] + light.ambient[2], 0) + 0.3 * light.key
        through = 1 - share[band, :, None] * (1 - 0.94 * self.clear)
        covered[band, :, :3] *= through
        covered[band, :, :3] += (share[band] * sheen)[..., None] * mirrored
        covered[band, :, 3] += share[band] * (1 - self.clear) * (1 - covered[band, :, 3])
