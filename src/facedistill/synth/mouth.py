"""The inside of an open mouth: a row of upper teeth in front of a dark red cavity."""

import numpy as np
from numpy.typing import NDArray

from facedistill.synth.arrays import Floats
from facedistill.synth.assets import Assets
from facedistill.synth.shade import TEETH, TONGUE
from facedistill.synth.submeshes import Submesh, grid_submesh

_OPEN = 0.012  # decimetres between the lips, below which nothing of the inside is seen
_COLUMNS = 29
_LIP_STEPS = np.linspace(-0.2, 0.2, 11)


class MouthInterior:
    """Builds teeth and cavity between the lips. The head model's own teeth pierce the lips of some shapes."""

    def __init__(self, assets: Assets) -> None:
        points = assets.points
        names = [str(name) for name in assets.expression_names]
        falls = -assets.expressions[names.index("jawOpen")][:, 1]
        lips = (assets.lips > 0.4) & (assets.inner_mouth < 0.5) & (np.abs(points[:, 0]) < 0.23)
        self._upper = self._edge(points, lips & (falls < 0.1), -1)
        self._lower = self._edge(points, lips & (falls > 0.1), 1)

    @staticmethod
    def _edge(points: Floats, lip: NDArray[np.bool_], up: int) -> NDArray[np.int64]:
        """The vertices of a lip that touch the other lip, from the subject's right to the left."""
        which = np.flatnonzero(lip)
        found = []
        for x in _LIP_STEPS:
            away = np.abs(points[which, 0] - x)
            near = which[away < max(0.025, float(away.min()) + 1e-6)]
            found.append(near[np.argmax(up * points[near, 1])])
        return np.array(found)

    def submeshes(self, posed: Floats) -> list[Submesh]:
        """Teeth and cavity of a posed head [V, 3]; an empty list when the lips are closed."""
        upper, lower = posed[self._upper], posed[self._lower]
        gap = float((upper[3:8, 1] - lower[3:8, 1]).max())
        if gap < _OPEN:
            return []
        across = np.linspace(-1, 1, _COLUMNS)
        x = float(upper[5, 0]) + 0.5 * float(np.ptp(upper[:, 0])) * 1.15 * across
        upper_y, upper_z, lower_y, lower_z = (
            np.polyval(np.polyfit(_LIP_STEPS / 0.23, values, 2), across)
            for values in (upper[:, 1], upper[:, 2], lower[:, 1], lower[:, 2])
        )
        down = np.linspace(0, 1, 5)[:, None]
        # Teeth: a shallow arch; a raised upper lip bares more of them.
        bared = min(0.02 + 0.55 * gap, 0.10)
        bottom = upper_y[_COLUMNS // 2] - bared + 0.5 * (upper_y - upper_y[_COLUMNS // 2]) + 0.02 * across**2
        teeth_y = (upper_y + 0.06) * (1 - down) + bottom * down
        teeth_z = upper_z - 0.045 - 0.10 * across**2 - 0.025 * (1 - down)
        bright = (1.0 - 0.62 * across**2) * (0.75 + 0.25 * down) * (0.94 + 0.06 * np.cos(8.0 * np.pi * across))
        # The cavity: dark above, the tongue's red below.
        cavity_y = (upper_y + 0.04) * (1 - down) + (lower_y - 0.03) * down
        cavity_z = (upper_z - 0.20) * (1 - down) + (lower_z - 0.07) * down
        red = (0.10 + 0.55 * down**1.5) * (1 - 0.6 * across**2)
        return [
            grid_submesh(_points(x, teeth_y, teeth_z), TEETH, bright),
            grid_submesh(_points(x, cavity_y, cavity_z), TONGUE, red),
        ]


def _points(x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]) -> Floats:
    return np.stack(np.broadcast_arrays(x[None], y, z), axis=-1).astype(np.float32)
