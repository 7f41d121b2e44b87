"""The hair grid: a polar grid of vertices round the skull, bound to the resting head, moved with each deformation.

Its rows run from the whorl to the lower end of the skull and then down the hair that hangs free. The strand map lies
over it, with more columns per radian in front than behind.
"""

import cv2
import numpy as np

from facedistill.synth.arrays import Floats
from facedistill.synth.assets import Assets
from facedistill.synth.mesh import grid_triangles

CENTRE = np.array([0.0, 7.55, 0.25], np.float32)  # inside the resting skull
SKULL_ROWS, HANGING_ROWS, AROUND = 22, 8, 64  # rows of vertices, cells round the head
MAP_ROWS, MAP_COLUMNS = 192, 512
FREE_ROW = 151  # of the map: rows above it lie on the skull, rows below it hang free
COARSE = (64, 128)  # rows and columns of maps of low resolution
_TILT = np.radians(25)  # the whorl lies this far behind the top
_WIDEST = np.radians(118)  # polar angle where the skull ends


class HairGrid:
    """The grid on the resting head, and its transfer to a deformed head.

    Attributes:
        outward: float32 [SKULL_ROWS, AROUND + 1, 3], unit vectors.
        resting: float32 [SKULL_ROWS, AROUND + 1, 3], points of the resting skull in these directions.
        texcoords: float32 [SKULL_ROWS + HANGING_ROWS, AROUND + 1, 2], row and column on the map.
        triangles: int32 [T, 3], row by row.
        map_points: float32 [MAP_ROWS, MAP_COLUMNS, 3], the resting skull under each pixel of the map; the hanging
            part repeats the skull's last row.
        coarse_points: float32 [*COARSE, 3], likewise.
    """

    def __init__(self, assets: Assets) -> None:
        self.outward = _directions()
        skin = assets.points[assets.vertices_of("skin")]
        ears = (np.abs(skin[:, 0]) > 0.78) & (skin[:, 1] < 7.6)
        usable = np.flatnonzero(~ears & (skin[:, 1] > 6.2))
        arms = skin[usable] - CENTRE
        units = arms / np.linalg.norm(arms, axis=1, keepdims=True)
        cosines = self.outward.reshape(-1, 3) @ units.T
        nearest = np.argsort(-cosines, axis=1)[:, :4]
        shares = 1 / (1e-4 + 1 - np.take_along_axis(cosines, nearest, axis=1))
        self._shares = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
        self._vertices = usable[nearest]
        arms = assets.points[self._vertices] - CENTRE
        radius = np.einsum("nk,nk->n", self._shares, np.sqrt(np.einsum("nkc,nkc->nk", arms, arms)))
        self.resting: Floats = CENTRE + self.outward * radius.reshape(SKULL_ROWS, AROUND + 1, 1)
        near = np.einsum("nk,nkc->nc", self._shares, assets.points[self._vertices])
        self._away = self.resting - near.reshape(self.resting.shape)
        hanging = np.linspace(FREE_ROW, MAP_ROWS - 1, HANGING_ROWS + 1)[1:]
        rows = np.concatenate([np.linspace(0, FREE_ROW, SKULL_ROWS), hanging])
        columns = np.linspace(0, MAP_COLUMNS, AROUND + 1)
        self.texcoords = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).astype(np.float32)
        self.map_points = self._under(MAP_ROWS, MAP_COLUMNS)
        self.coarse_points = self._under(*COARSE)
        self.triangles = grid_triangles(SKULL_ROWS + HANGING_ROWS, AROUND + 1)
        self._coarse_places = (self.texcoords + 0.5) * np.array(COARSE) / (MAP_ROWS, MAP_COLUMNS) - 0.5
        self._coarse_places = self._coarse_places.astype(np.float32)

    def skull(self, points: Floats) -> Floats:
        """The grid on a deformed head [V, 3]: float32 [SKULL_ROWS, AROUND + 1, 3]."""
        near = np.einsum("nk,nkc->nc", self._shares, points[self._vertices])
        return np.asarray(near.reshape(self.resting.shape) + self._away, np.float32)

    def at_vertices(self, coarse: Floats) -> Floats:
        """Values [*COARSE] at the grid's vertices, [SKULL_ROWS + HANGING_ROWS, AROUND + 1]."""
        rows, columns = self._coarse_places[..., 0], self._coarse_places[..., 1]
        return np.asarray(cv2.remap(coarse, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))

    def _under(self, rows: int, columns: int) -> Floats:
        across, down = np.meshgrid(
            ((np.arange(columns) + 0.5) / columns * MAP_COLUMNS - 0.5) / MAP_COLUMNS * AROUND,
            ((np.arange(rows) + 0.5) / rows * MAP_ROWS - 0.5) / FREE_ROW * (SKULL_ROWS - 1),
        )
        places = across.astype(np.float32), np.minimum(down, SKULL_ROWS - 1).astype(np.float32)
        grid = self.resting.astype(np.float32)
        return np.asarray(cv2.remap(grid, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _directions() -> Floats:
    polar = np.linspace(0.02, _WIDEST, SKULL_ROWS)
    turn = np.linspace(-1, 1, AROUND + 1)
    around = np.pi * turn * (0.62 + 0.38 * np.abs(turn) ** 1.5)
    theta, phi = np.meshgrid(polar, around, indexing="ij")
    directions = np.stack([np.sin(theta) * np.sin(phi), np.cos(theta), np.sin(theta) * np.cos(phi)], axis=-1)
    tilt = np.array([[1, 0, 0], [0, np.cos(_TILT), np.sin(_TILT)], [0, -np.sin(_TILT), np.cos(_TILT)]])
    return np.asarray(directions @ tilt.T, np.float32)
