"""What lies on the skin for one picture: beard, shaved scalp, lipstick, eye shadow, blush."""

import numpy as np
from numpy.typing import NDArray

from facedistill.synth.curves import smooth_step
from facedistill.synth.hairline import rooted
from facedistill.synth.layout import COLUMNS, ROWS
from facedistill.synth.noise import streaks
from facedistill.synth.person import Person
from facedistill.synth.regions import Regions
from facedistill.synth.shade_skin import BEARD, CHEEKS, COVERS, LIDS, LIPS, ROOTS

Floats = NDArray[np.float32]

# facial hair: shares of moustache, chin and jaw; density
FACIAL_HAIR: dict[str, tuple[float, float, float, float]] = {
    "none": (0.0, 0.0, 0.0, 0.0),
    "shadow": (0.9, 0.9, 0.8, 0.22),
    "stubble": (1.0, 1.0, 0.85, 0.50),
    "moustache": (1.0, 0.0, 0.0, 0.95),
    "goatee": (1.0, 1.0, 0.0, 0.95),
    "chin": (0.0, 1.0, 0.15, 0.9),
    "beard": (1.0, 1.0, 1.0, 1.0),
}


class Covers:
    """The cover sheet; one buffer, changed in place from picture to picture."""

    def __init__(self, regions: Regions) -> None:
        self._sheet = np.zeros((ROWS, COLUMNS, COVERS), np.float32)
        self._sheet[..., LIPS] = regions.lips
        self._sheet[..., LIDS] = regions.lids
        self._sheet[..., CHEEKS] = regions.cheeks
        self._points = np.stack([regions.signed_x, regions.y, regions.z], axis=-1)
        rng = np.random.default_rng(23)
        self._hairs = streaks(rng, ROWS, COLUMNS, length=4, width=1.0)
        self._last: Person | None = None
        x, y, z = regions.x, regions.y, regions.z
        bare = 1 - np.clip(1.4 * regions.lips, 0, 1)
        front = smooth_step(0.35, 0.6, z)
        moustache = (
            smooth_step(0.34, 0.26, x) * smooth_step(6.86, 6.83, y - 0.12 * x) * smooth_step(6.62, 6.70, y + 0.1 * x)
        )
        moustache *= 0.55 + 0.45 * smooth_step(0.01, 0.05, x)
        chin = smooth_step(0.27, 0.19, x) * smooth_step(6.60, 6.54, y) * smooth_step(6.05, 6.2, y)
        chin = np.maximum(chin, smooth_step(0.05, 0.02, x) * smooth_step(6.62, 6.58, y) * smooth_step(6.5, 6.55, y))
        upper = 6.58 + 1.15 * np.clip(x - 0.36, 0, 0.42) ** 1.15  # the cheek line rises to the sideburn
        jaw = smooth_step(0.02, -0.07, y - upper) * smooth_step(5.95, 6.2, y) * smooth_step(0.14, 0.24, x)
        jaw *= smooth_step(0.12, 0.30, z)
        self._growth = [
            np.asarray(part * bare * (front if part is not jaw else 1), np.float32) for part in (moustache, chin, jaw)
        ]
        anywhere = np.maximum.reduce(self._growth) > 0
        rows, columns = np.flatnonzero(anywhere.any(axis=1)), np.flatnonzero(anywhere.any(axis=0))
        self._window = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)

    def sheet(self, person: Person, facial_hair: str) -> Floats:
        """float32 [ROWS, COLUMNS, COVERS], valid until the next call.

        Args:
            person: Whose hairline and beard growth.
            facial_hair: A key of `FACIAL_HAIR`.
        """
        if self._last is not person:
            shift = person.skin_seed % 300
            grain = 0.72 + 0.5 * (np.roll(self._hairs, shift, axis=1) - 0.5)
            self._sheet[..., ROOTS] = (
                smooth_step(-0.04, 0.10, rooted(self._points, person) + 0.06 * (grain - 0.7)) * grain
            )
            self._last = person
        moustache, chin, jaw, density = FACIAL_HAIR[facial_hair]
        window = self._window
        if not density:
            self._sheet[(*window, BEARD)] = 0
            return self._sheet
        area = moustache * self._growth[0][window]
        np.maximum(area, chin * self._growth[1][window], out=area)
        np.maximum(area, jaw * self._growth[2][window], out=area)
        hairs = np.roll(self._hairs, person.skin_seed % 500, axis=1)[window]
        grown = density * (0.5 + 0.5 * person.beard_density)
        # Sparse hair is single dark strands over a faint tint; dense hair closes, and frays at its edge.
        strands = smooth_step(1.0 - grown, 1.45 - 0.75 * grown, hairs) * (0.35 + 0.65 * grown)
        self._sheet[(*window, BEARD)] = smooth_step(
            0.02, 0.8, area + 0.30 * (hairs - 0.5) * (area > 0.02)
        ) * np.maximum(strands, 0.28 * grown + 1.3 * max(grown - 0.55, 0))
        return self._sheet
