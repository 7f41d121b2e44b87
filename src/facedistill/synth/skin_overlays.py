"""Overlays of the skin texture that change per picture: beard, hair roots, lipstick, eye shadow, blush."""

import cv2
import numpy as np

from facedistill.synth.arrays import Floats
from facedistill.synth.hairline import hairline_depth
from facedistill.synth.masks import bounding_window, near_curve, smooth_step
from facedistill.synth.noise import cloud, streaks
from facedistill.synth.person import Person
from facedistill.synth.regions import Regions
from facedistill.synth.shade_skin import BEARD, CHEEKS, LIDS, LIPS, OVERLAYS, ROOTS
from facedistill.synth.texture_layout import COLUMNS, ROWS

# facial hair: shares of moustache, what joins it to the chin, chin, and jaw; density
FACIAL_HAIR: dict[str, tuple[float, float, float, float, float]] = {
    "none": (0.0, 0.0, 0.0, 0.0, 0.0),
    "shadow": (0.9, 0.6, 0.9, 0.8, 0.20),
    "stubble": (1.0, 0.8, 1.0, 0.9, 0.46),
    "moustache": (1.0, 0.0, 0.0, 0.0, 0.85),
    "goatee": (1.0, 0.9, 1.0, 0.0, 0.85),
    "chin": (0.0, 0.0, 1.0, 0.12, 0.8),
    "beard": (1.0, 1.0, 1.0, 1.0, 0.95),
}
# Upper edge of a beard on the cheek: heights by distance from the middle, decimetres on the resting head.
_CHEEK_LINE = ([0.28, 0.40, 0.52, 0.62, 0.70, 0.78], [6.53, 6.60, 6.69, 6.82, 6.99, 7.12])


class SkinOverlayBuilder:
    """Builds the masks of the overlays in one buffer, which each call changes in place."""

    def __init__(self, regions: Regions) -> None:
        self._masks = np.zeros((ROWS, COLUMNS, OVERLAYS), np.float32)
        self._masks[..., LIPS] = regions.lips
        self._masks[..., LIDS] = regions.lids
        self._masks[..., CHEEKS] = regions.cheeks
        points = np.stack([regions.signed_x, regions.y, regions.z], axis=-1)
        self._points = points.reshape(ROWS // 2, 2, COLUMNS // 2, 2, 3).mean(axis=(1, 3))  # hairlines need no more
        rng = np.random.default_rng(23)
        self._hairs = streaks(rng, ROWS, COLUMNS, length=4, width=1.0)
        self._last: Person | None = None
        self._patches = cloud(rng, ROWS, COLUMNS, 40, 3)
        self._growth = [np.asarray(part, np.float32) for part in _growth(regions)]
        self._window = bounding_window(np.maximum.reduce(self._growth) > 0)

    def build(self, person: Person, facial_hair: str) -> Floats:
        """Masks of all overlays, float32 [ROWS, COLUMNS, OVERLAYS], 0..1, valid until the next call.

        Args:
            person: Person whose hairline and beard are drawn.
            facial_hair: A key of `FACIAL_HAIR`.
        """
        if self._last is not person:
            shift = person.skin_seed % 300
            grain = 0.72 + 0.5 * (np.roll(self._hairs, shift, axis=1) - 0.5)
            depth = cv2.resize(hairline_depth(self._points, person), (COLUMNS, ROWS), interpolation=cv2.INTER_LINEAR)
            self._masks[..., ROOTS] = smooth_step(-0.04, 0.10, depth + 0.06 * (grain - 0.7)) * grain
            self._last = person
        *shares, density = FACIAL_HAIR[facial_hair]
        window = self._window
        if not density:
            self._masks[(*window, BEARD)] = 0
            return self._masks
        bare = np.ones_like(self._growth[0][window])
        for share, part in zip(shares, self._growth, strict=True):
            if share:
                bare *= 1 - share * part[window]
        area = 1 - bare
        hairs = np.roll(self._hairs, person.skin_seed % 500, axis=1)[window] - 0.5
        patches = np.roll(self._patches, person.skin_seed % 400, axis=1)[window]
        grown = density * (0.6 + 0.4 * person.beard_density)
        # Fewer strands towards the edge; patches where the beard is sparse.
        edge = smooth_step(0.08, 0.75, area + 0.5 * hairs * (1 - area) * (area > 0.03))
        strands = 1 + (1.3 - 0.6 * grown) * hairs + 0.16 * (1.2 - grown) * patches
        self._masks[(*window, BEARD)] = np.clip(grown * edge * strands, 0, 0.97)
        return self._masks


def _growth(regions: Regions) -> list[Floats]:
    """Where moustache, the hair beside the mouth, chin beard and whiskers grow, 0..1 with soft edges."""
    x, y, z = regions.x, regions.y, regions.z
    lips = smooth_step(0.75, 0.25, regions.lips)
    front = smooth_step(0.35, 0.6, z)
    middle = 6.745 - 0.9 * np.clip(x - 0.10, 0, None) ** 1.3
    half = np.interp(x, [0, 0.12, 0.36], [0.055, 0.062, 0.040])
    moustache = np.exp(-1.1 * (np.clip(np.abs(y - middle) - 0.012, 0, None) / half) ** 2)
    moustache *= smooth_step(0.40, 0.24, x) * smooth_step(6.835, 6.775, y) * (1 - 0.3 * np.exp(-((x / 0.03) ** 2)))
    beside = near_curve(x, y, [(0.27, 6.70), (0.315, 6.60), (0.29, 6.48), (0.2, 6.34)], 0.05)
    chin = smooth_step(0.32, 0.12, x) * smooth_step(6.49, 6.40, y) * smooth_step(5.96, 6.22, y)
    below_lip = np.exp(-((x / 0.045) ** 2)) * smooth_step(6.53, 6.49, y) * smooth_step(6.34, 6.44, y)
    jaw = smooth_step(0.05, -0.10, y - np.interp(x, *_CHEEK_LINE))
    jaw *= smooth_step(5.90, 6.22, y) * smooth_step(0.16, 0.30, x) * smooth_step(0.05, 0.25, z)
    return [moustache * lips * front, beside * lips * front, np.maximum(chin, 0.9 * below_lip) * lips * front, jaw]
