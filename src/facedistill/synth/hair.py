"""Hair: shells over the skull, cut into strands by a map of heights, as fur is drawn.

A grid of directions from inside the skull is bound to the resting head once; it follows every deformation. Each
hairstyle says how far the hair stands off the skull and where it ends; strands are thinned out from shell to shell, so
that no shell has a smooth outline.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facedistill.synth.assets import PART_NUMBERS, Assets
from facedistill.synth.curves import smooth_step
from facedistill.synth.hairline import rooted
from facedistill.synth.hairstyles import HairStyle
from facedistill.synth.layout import azimuth
from facedistill.synth.noise import cloud, streaks
from facedistill.synth.person import Person
from facedistill.synth.raster import vertex_normals

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

CENTRE = np.array([0.0, 7.55, 0.25], np.float32)  # inside the resting skull
_TILT = np.radians(25)  # the whorl lies this far behind the top
_SKULL_ROWS, _HANGING_ROWS, _AROUND = 28, 14, 88
_WIDEST = np.radians(118)  # polar angle where the skull ends and hair hangs free
MAP_ROWS, MAP_COLUMNS = 128, 640
# Share of the thickness, level, brightness; the first one throws the shadows, and the sparse outer one goes before the
# inner one that it hides.
_SHELLS = ((0.72, 0.34, 0.78), (1.0, 0.58, 1.0), (0.40, 0.10, 0.45))


@dataclass(frozen=True, eq=False)
class HairMesh:
    """Hair ready to be drawn. N vertices, T triangles.

    Attributes:
        points, normals, tangents: float32 [N, 3], head frame; tangents along the strands.
        places: float32 [N, 2], row and column on the strand maps.
        shade: float32 [N], 0..1, darker near the roots.
        triangles: int32 [T, 3].
        levels: float32 [T], see `raster.rasterise`.
        shadowing: So many of the first triangles suffice to throw the shadow.
        heights: float32 [MAP_ROWS, MAP_COLUMNS], what the levels are compared with.
        strands: float32 [MAP_ROWS, MAP_COLUMNS], brightness of the strands, 0..1.
    """

    points: Floats
    normals: Floats
    tangents: Floats
    places: Floats
    shade: Floats
    triangles: Ints
    levels: Floats
    shadowing: int
    heights: Floats
    strands: Floats


class HairDresser:
    """Makes hair for any head; holds the grid and the noises that all hair shares."""

    def __init__(self, assets: Assets) -> None:
        rng = np.random.default_rng(22)
        self._fine = streaks(rng, MAP_ROWS, MAP_COLUMNS, length=55, width=1.6)
        self._locks = streaks(rng, MAP_ROWS, MAP_COLUMNS, length=80, width=9)
        self._frizz = np.clip(0.5 + 0.25 * cloud(rng, MAP_ROWS, MAP_COLUMNS, 7, 3), 0, 1)
        self._lumps = cloud(rng, MAP_ROWS, MAP_COLUMNS, 60, 3)
        self._strand_maps: dict[HairStyle, Floats] = {}
        self._last: tuple[Person, Floats] | None = None
        self._bind(assets)
        self._angle = np.abs(azimuth(self._map_points))
        self._front = smooth_step(1.15, 0.55, self._angle)

    def _bind(self, assets: Assets) -> None:
        polar = np.linspace(0.02, _WIDEST, _SKULL_ROWS)
        around = np.linspace(-np.pi, np.pi, _AROUND + 1)
        theta, phi = np.meshgrid(polar, around, indexing="ij")
        directions = np.stack([np.sin(theta) * np.sin(phi), np.cos(theta), np.sin(theta) * np.cos(phi)], axis=-1)
        tilt = np.array([[1, 0, 0], [0, np.cos(_TILT), np.sin(_TILT)], [0, -np.sin(_TILT), np.cos(_TILT)]])
        directions = directions @ tilt.T
        skin = assets.points[assets.parts == PART_NUMBERS["skin"]]
        ears = (np.abs(skin[:, 0]) > 0.78) & (skin[:, 1] < 7.6)
        usable = np.flatnonzero(~ears & (skin[:, 1] > 6.2))
        arms = skin[usable] - CENTRE
        units = arms / np.linalg.norm(arms, axis=1, keepdims=True)
        cosines = directions.reshape(-1, 3) @ units.T
        nearest = np.argsort(-cosines, axis=1)[:, :4]
        closeness = np.take_along_axis(cosines, nearest, axis=1)
        shares = 1 / (1e-4 + 1 - closeness)
        self._shares = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
        self._vertices = usable[nearest]
        self._outward = directions.astype(np.float32)
        self._resting = self._skull(assets.points)
        # Every grid point's place on the resting head decides whether hair grows there.
        self._map_points = self._on_map(
            np.concatenate([self._resting, np.repeat(self._resting[-1:], _HANGING_ROWS, 0)])
        )
        rows = np.linspace(0, MAP_ROWS - 1, _SKULL_ROWS + _HANGING_ROWS, dtype=np.float32)
        columns = np.linspace(0, MAP_COLUMNS, _AROUND + 1, dtype=np.float32)
        self._places = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
        quad = np.arange((_SKULL_ROWS + _HANGING_ROWS) * (_AROUND + 1)).reshape(-1, _AROUND + 1)
        a, b, c, d = quad[:-1, :-1], quad[1:, :-1], quad[1:, 1:], quad[:-1, 1:]
        self._triangles = np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3).astype(np.int32)

    def _skull(self, points: Floats) -> Floats:
        """The grid on a deformed head, [_SKULL_ROWS, _AROUND + 1, 3]."""
        arms = points[self._vertices] - CENTRE
        radius = np.einsum("nk,nk->n", self._shares, np.sqrt(np.einsum("nkc,nkc->nk", arms, arms)))
        skull: Floats = CENTRE + self._outward * radius.reshape(_SKULL_ROWS, _AROUND + 1, 1)
        return skull

    @staticmethod
    def _on_map(grid: Floats) -> Floats:
        enlarged = cv2.resize(grid, (MAP_COLUMNS, MAP_ROWS), interpolation=cv2.INTER_LINEAR)
        return enlarged.astype(np.float32)

    def dress(self, person: Person, style: HairStyle, posed: Floats, seed: int) -> HairMesh | None:
        """Hair on a head, or None for a bald style.

        Args:
            person: Whose hairline and curl.
            style: The hairstyle.
            posed: [V, 3] the head, head frame.
            seed: Of the disorder in the hair.
        """
        if style.volume <= 0:
            return None
        rng = np.random.default_rng(seed)
        skull = self._skull(posed)
        shift = (0, int(rng.integers(MAP_COLUMNS)))
        curl = float(np.clip(style.curl, 0, 1))
        lumps = np.roll(self._lumps, shift, axis=(0, 1))
        if style not in self._strand_maps:
            self._strand_maps[style] = self._strand_map(style, curl)
        strands = np.roll(self._strand_maps[style], shift, axis=(0, 1))
        inside = self._inside(person)
        heights = self._heights(style, inside, strands, lumps)

        rows, columns = _SKULL_ROWS + _HANGING_ROWS, _AROUND + 1
        coarse = np.asarray(
            cv2.resize(np.stack([inside, lumps], -1), (columns, rows), interpolation=cv2.INTER_AREA), np.float32
        )
        rise = smooth_step(-0.02, 0.02 + 0.5 * style.volume, coarse[..., 0] + style.fringe)
        angle = np.abs(azimuth(self._resting))
        top = smooth_step(7.55, 8.25, self._resting[..., 1])
        thick = (
            style.volume
            * (style.sides + (1 - style.sides) * top)
            * (1 + (0.10 + 0.07 * curl) * coarse[:_SKULL_ROWS, :, 1])
        )
        thick = np.maximum(thick, 0.05) * (0.25 + 0.75 * rise[:_SKULL_ROWS])
        thick += 0.10 * style.quiff * smooth_step(0.9, 0.2, angle) * smooth_step(7.6, 8.0, self._resting[..., 1])
        outer = skull + self._outward * thick[..., None].astype(np.float32)
        hanging = self._hang(outer[-1], style, coarse[_SKULL_ROWS:, :, 1], curl)
        outer = np.concatenate([outer, hanging])
        inner = np.concatenate([skull, hanging * 0.5 + 0.5 * (hanging - 0.06 * self._outward[-1])])
        use = rows if style.length > 0 else _SKULL_ROWS
        return self._assemble(outer[:use], inner[:use], heights, strands, use)

    def hat(self, posed: Floats, thickness: float) -> tuple[Floats, Ints, Floats]:
        """A cap over the skull: points [N, 3], triangles [T, 3], and how far above its rim each point lies (dm)."""
        grid = (self._skull(posed) + thickness * self._outward).reshape(-1, 3).astype(np.float32)
        angle = np.abs(azimuth(self._resting))
        rim = 7.74 - 0.28 * smooth_step(0.7, 1.6, angle) - 0.12 * smooth_step(1.6, 2.8, angle)
        triangles = self._triangles[: (_SKULL_ROWS - 1) * _AROUND * 2]
        return grid, triangles, (self._resting[..., 1] - rim).reshape(-1).astype(np.float32)

    def _inside(self, person: Person) -> Floats:
        if self._last is None or self._last[0] is not person:
            self._last = person, rooted(self._map_points, person)
        return self._last[1]

    def _strand_map(self, style: HairStyle, curl: float) -> Floats:
        straight = 0.6 * self._fine + 0.4 * self._locks
        mixed = (1 - curl) * straight + curl * (0.35 * self._fine + 0.65 * self._frizz)
        rows, columns = np.meshgrid(np.arange(MAP_ROWS), np.arange(MAP_COLUMNS), indexing="ij")
        wave = style.wave * 9 * np.sin(rows / (7 + 5 * (1 - curl)) + columns / 37)
        lean = style.swirl * 0.5 * rows
        source = (columns + wave + lean).astype(np.float32) % MAP_COLUMNS
        return cv2.remap(
            mixed.astype(np.float32), source, rows.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
        ).astype(np.float32)

    def _heights(self, style: HairStyle, inside: Floats, strands: Floats, lumps: Floats) -> Floats:
        """How high each strand stands, 0..1: nothing outside the hairline and beyond the strands' ends."""
        points = self._map_points
        angle, front = self._angle, self._front
        # How far strands reach past the hairline, decimetres: a fringe in front, over the ears at the sides.
        reach = style.fringe * front + style.over_ears * (1 - front)
        ragged = (0.11 + 0.35 * reach) * (strands - 0.5) + 0.03 * lumps
        covered = smooth_step(-0.04, 0.15, inside + reach + ragged)
        heights = covered * (0.30 + 0.70 * strands)
        row = np.arange(MAP_ROWS)[:, None] / MAP_ROWS
        free = _SKULL_ROWS / (_SKULL_ROWS + _HANGING_ROWS)
        if style.length > 0:
            ends = 1 + 0.10 * (strands - 0.9) + 0.02 * lumps
            sides = smooth_step(0.62, 0.80, angle + 0.10 * (strands - 0.5) + 0.03 * lumps)
            hanging = sides * smooth_step(1.0, 0.9, row / ends) * (0.45 + 0.55 * strands)
            heights = np.where(
                row > free, hanging, np.maximum(heights, hanging * smooth_step(7.7, 7.3, points[..., 1]))
            )
        return heights.astype(np.float32)

    def _hang(self, edge: Floats, style: HairStyle, lumps: Floats, curl: float) -> Floats:
        drop = np.linspace(0, 1, _HANGING_ROWS + 1)[1:, None, None].astype(np.float32)
        out = self._outward[-1] * np.array([1, 0, 1], np.float32)
        out /= np.linalg.norm(out, axis=1, keepdims=True) + 1e-6
        # Never through the cheeks: hair at the sides hangs at least as wide as the jaw.
        start = edge.copy()
        wide = np.abs(start[:, 0])
        at_side = smooth_step(0.4, 0.7, wide)
        start[:, 0] = np.sign(start[:, 0]) * np.maximum(wide, at_side * (0.80 + 0.4 * style.volume * style.sides))
        bow = np.sin(drop * np.pi) * (0.06 + 0.10 * curl) + 0.025 * lumps[..., None]
        down = np.array([0, -1, 0], np.float32) * style.length * drop
        blend = np.minimum(drop * 4, 1)
        hanging: Floats = (edge + blend * (start - edge) + down + out * bow).astype(np.float32)
        return hanging

    def _assemble(self, outer: Floats, inner: Floats, heights: Floats, strands: Floats, rows: int) -> HairMesh:
        count = rows * (_AROUND + 1)
        grid = self._triangles[: (rows - 1) * _AROUND * 2]
        tangents = np.gradient(outer, axis=0).reshape(count, 3)
        outer, inner = outer.reshape(count, 3), inner.reshape(count, 3)
        normals = vertex_normals(np.ascontiguousarray(outer), np.ascontiguousarray(grid))
        shells = [inner + share * (outer - inner) for share, _, _ in _SHELLS]
        points = np.concatenate(shells).astype(np.float32)
        copies = len(_SHELLS)
        highest = np.repeat(_cell_maxima(heights, rows).reshape(-1), 2)  # two triangles a cell
        kept = [grid[highest > level] + number * count for number, (_, level, _) in enumerate(_SHELLS)]
        levels = [np.full(len(faces), level, np.float32) for faces, (_, level, _) in zip(kept, _SHELLS, strict=True)]
        return HairMesh(
            points=points,
            normals=np.tile(normals, (copies, 1)).astype(np.float32),
            tangents=np.tile(tangents, (copies, 1)).astype(np.float32),
            places=np.tile(self._places[:rows].reshape(count, 2), (copies, 1)),
            shade=np.repeat(np.array([s for _, _, s in _SHELLS], np.float32), count),
            triangles=np.concatenate(kept).astype(np.int32),
            levels=np.concatenate(levels),
            shadowing=len(kept[0]),
            heights=heights,
            strands=strands,
        )


def _cell_maxima(heights: Floats, rows: int) -> Floats:
    """The highest strand in each cell of the grid: cells with none need not be drawn. [rows - 1, _AROUND]."""
    down = np.linspace(0, MAP_ROWS - 1, _SKULL_ROWS + _HANGING_ROWS)[:rows]
    across = np.linspace(0, MAP_COLUMNS, _AROUND + 1)[:-1]
    spread = cv2.dilate(heights, np.ones((5, 5), np.uint8))  # cells share their rims
    above = np.maximum.reduceat(spread, down.astype(np.int64), axis=0)[: rows - 1]
    maxima: Floats = np.maximum.reduceat(above, across.astype(np.int64), axis=1)
    return maxima
