"""The inside of an open mouth: a soft row of upper teeth before a dark red hollow."""

import numpy as np
from numpy.typing import NDArray

from facedistill.synth.arrays import Floats
from facedistill.synth.assets import Assets
from facedistill.synth.grids import grid_submesh
from facedistill.synth.shade import TEETH, TONGUE
from facedistill.synth.submeshes import Submesh

_OPEN = 0.012  # decimetres between the lips, below which nothing of the inside is seen
_COLUMNS = 29
_LIP_STEPS = np.linspace(-0.2, 0.2, 11)


class MouthInterior:
    """Follows the lips of a posed head. The model's own teeth would pierce the lips of some shapes."""

    def __init__(self, assets: Assets) -> None:
        points = assets.points
        names = [str(name) for name in assets.expression_names]
        falls = -assets.expressions[names.index("jawOpen")][:, 1]
        lips = (assets.lips > 0.4) & (assets.inner_mouth < 0.5) & (np.abs(points[:, 0]) < 0.23)
        self._upper = self._edge(points, lips & (falls < 0.1), -1)
        self._lower = self._edge(points, lips & (falls > 0.1), 1)

    @staticmethod
    def _edge(points: Floats, lip: NDArray[np.bool_], way: int) -> NDArray[np.int64]:
        """The vertices of a lip that meet the other lip, from the subject's right to his left."""
        which = np.flatnonzero(lip)
        found = []
        for x in _LIP_STEPS:
            away = np.abs(points[which, 0] - x)
            near = which[away < max(0.025, float(away.min()) + 1e-6)]
            found.append(near[np.argmax(way * points[near, 1])])
        return np.array(found)

    def submeshes(self, posed: Floats) -> list[Submesh]:
        """Teeth and hollow of a posed head [V, 3]; none while the lips are closed."""
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
        # Teeth: a shallow arch; the lip that rises in a smile bares more of them.
        shown = min(0.02 + 0.55 * gap, 0.10)
        bottom = upper_y[_COLUMNS // 2] - shown + 0.5 * (upper_y - upper_y[_COLUMNS // 2]) + 0.02 * across**2
        teeth_y = (upper_y + 0.06) * (1 - down) + bottom * down
        teeth_z = upper_z - 0.045 - 0.10 * across**2 - 0.025 * (1 - down)
        bright = (1.0 - 0.62 * across**2) * (0.75 + 0.25 * down) * (0.94 + 0.06 * np.cos(8.0 * np.pi * across))
        # The hollow: dark above, the tongue's red below.
        hollow_y = (upper_y + 0.04) * (1 - down) + (lower_y - 0.03) * down
        hollow_z = (upper_z - 0.20) * (1 - down) + (lower_z - 0.07) * down
        red = (0.10 + 0.55 * down**1.5) * (1 - 0.6 * across**2)
        return [
            grid_submesh(_points(x, teeth_y, teeth_z), TEETH, np.asarray(bright, np.float32)),
            grid_submesh(_points(x, hollow_y, hollow_z), TONGUE, np.asarray(red, np.float32)),
        ]


def _points(x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]) -> Floats:
    return np.stack(np.broadcast_arrays(x[None], y, z), axis=-1).astype(np.float32)
