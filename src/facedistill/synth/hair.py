"""Hair: shells over the skull, cut into strands by a map of alpha_map, as fur is drawn.

Each hairstyle says how far the hair stands off the skull, which way it is combed and where it ends. Towards its ends
and its line on the forehead strands are thinned out, and lie over the roots painted on the skin, so that hair has no
outline of its own.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from facedistill.synth.arrays import Floats, Ints
from facedistill.synth.assets import Assets
from facedistill.synth.hairflow import VARIANTS, HairFlow, HairFlowBuilder
from facedistill.synth.hairgrid import (
    AROUND,
    COARSE,
    FREE_ROW,
    HANGING_ROWS,
    MAP_COLUMNS,
    MAP_ROWS,
    SKULL_ROWS,
    HairGrid,
)
from facedistill.synth.hairline import hairline_depth
from facedistill.synth.hairstyles import HairStyle
from facedistill.synth.masks import smooth_step
from facedistill.synth.noise import cloud
from facedistill.synth.person import Person
from facedistill.synth.raster import vertex_normals
from facedistill.synth.texture_layout import azimuth

__all__ = ["MAP_COLUMNS", "MAP_ROWS", "HairBuilder", "HairMesh"]


# Share of the thickness, level, brightness; the first one throws the shadows. The shortest hair has only that one.
_SHELLS = ((0.60, 0.08, 0.70), (1.0, 0.47, 1.0))
_SHORTEST = ((1.0, 0.30, 0.9),)
_ROOTS = 0.13  # so deep inside the hairline the roots that are painted on the skin close, and shells take over
_LONGEST = 0.43  # a fringe ends above the brows
_ENDS = 6.75  # hair hangs from here down, whatever height of the skull it leaves


@dataclass(frozen=True, eq=False)
class HairMesh:
    """Hair ready to be drawn. N vertices, T triangles.

    Attributes:
        points, normals, tangents: float32 [N, 3], head frame; tangents along the strands.
        texcoords: float32 [N, 2], row and column on the strand maps.
        shade: float32 [N], 0..1, darker near the roots.
        triangles: int32 [T, 3].
        alpha_cutoffs: float32 [T], see `raster.rasterise`.
        shadowing: So many of the first triangles suffice to throw the shadow.
        alpha_map: float32 [MAP_ROWS, MAP_COLUMNS], what the alpha_cutoffs are compared with.
        strands: float32 [MAP_ROWS, MAP_COLUMNS], brightness of the strands, 0..1.
    """

    points: Floats
    normals: Floats
    tangents: Floats
    texcoords: Floats
    shade: Floats
    triangles: Ints
    alpha_cutoffs: Floats
    shadowing: int
    alpha_map: Floats
    strands: Floats


@dataclass(frozen=True)
class _Cut:
    """What a style leaves to chance.

    Attributes:
        fringe, volume, length: Factors.
        tucked: Whether hanging hair is behind the ears.
        slant: How much farther down it hangs in front than behind, decimetres.
    """

    fringe: float
    volume: float
    length: float
    tucked: bool
    slant: float


class HairBuilder:
    """Makes hair for any head; holds the grid, the combed hair and the noises that all hair shares."""

    def __init__(self, assets: Assets) -> None:
        rng = np.random.default_rng(25)
        self._grid = HairGrid(assets)
        self._flow = HairFlowBuilder(self._grid)
        self._lumps = cloud(rng, *COARSE, 9, 2)
        self._last: tuple[Person, Floats] | None = None
        angle = azimuth(self._grid.coarse_points)
        self._angle, self._signed = np.abs(angle), angle
        self._height = self._grid.coarse_points[..., 1]
        self._front = smooth_step(1.15, 0.55, self._angle)
        rows = (np.arange(COARSE[0]) + 0.5) / COARSE[0] * MAP_ROWS - 0.5
        self._hung = ((rows - FREE_ROW) / (MAP_ROWS - 1 - FREE_ROW))[:, None].astype(np.float32)
        resting = self._grid.resting
        around = np.abs(azimuth(resting))
        self._top = smooth_step(7.55, 8.25, resting[..., 1])
        # Seen from the front, hair that stands off the temples would show what is behind it.
        self._temples = 0.012 + 0.24 * smooth_step(1.05, 1.8, around) + 0.3 * smooth_step(7.75, 8.15, resting[..., 1])
        # There the painted roots alone are seen at the edge of short hair, and no stray strands against what is behind.
        self._beside = smooth_step(0.7, 0.95, around)
        self._brow = np.exp(-((azimuth(resting) / 0.6) ** 2)) * smooth_step(7.85, 8.15, resting[..., 1])
        self._ears = np.exp(-(((around - 1.45) / 0.4) ** 2)) * smooth_step(7.65, 7.3, resting[..., 1])
        from_knot = resting - np.array([0.0, 8.45, 0.15], np.float32)
        self._knot = np.exp(-np.einsum("rcx,rcx->rc", from_knot, from_knot) / 0.30**2)

    def build(self, person: Person, style: HairStyle, posed: Floats, seed: int) -> HairMesh | None:
        """Hair on a head, or None for a bald style.

        Args:
            person: Whose hairline.
            style: The hairstyle.
            posed: [V, 3] the head, head frame.
            seed: Of the disorder in the hair.
        """
        if style.volume <= 0:
            return None
        rng = np.random.default_rng(seed)
        flow = self._flow.build(style.flow_pattern, style.wave, style.curl, int(rng.integers(VARIANTS)))
        cut = _Cut(
            fringe=float(rng.uniform(0.6, 1.2)),
            volume=float(rng.uniform(0.75, 1.25)),
            length=float(rng.uniform(0.75, 1.2)),
            tucked=bool(rng.random() < 0.35),
            slant=float(rng.uniform(-0.1, 0.25)),
        )
        lumps = np.roll(self._lumps, int(rng.integers(COARSE[1])), axis=1)
        depth, ragged = self._depth(person, style, cut, flow, lumps)
        alpha_map = self._alpha_map(depth, ragged, flow, person)
        outer, inner, shade = self._shells(style, cut, flow, posed, depth, lumps)
        return self._assemble(outer, inner, shade, alpha_map, flow, depth + 0.5 * ragged, style)

    def skull_cap(self, posed: Floats, thickness: float) -> tuple[Floats, Ints, Floats]:
        """A cap over the skull: points [N, 3], triangles [T, 3], and how far above its rim each point lies (dm)."""
        grid = self._grid
        points = (grid.skull(posed) + thickness * grid.outward).reshape(-1, 3).astype(np.float32)
        angle = np.abs(azimuth(grid.resting))
        rim = 7.74 - 0.28 * smooth_step(0.7, 1.6, angle) - 0.12 * smooth_step(1.6, 2.8, angle)
        triangles = grid.triangles[: (SKULL_ROWS - 1) * AROUND * 2]
        return points, triangles, (grid.resting[..., 1] - rim).reshape(-1).astype(np.float32)

    def _depth(
        self, person: Person, style: HairStyle, cut: _Cut, flow: HairFlow, lumps: Floats
    ) -> tuple[Floats, Floats]:
        """How deep inside the hair each place lies, and how far strands differ in that; decimetres, [*COARSE]."""
        if self._last is None or self._last[0] is not person:
            self._last = person, hairline_depth(self._grid.coarse_points, person)
        fringe = style.fringe * cut.fringe
        longer = np.clip(1 - style.sweep * flow.side * self._signed / 0.55, 0.1, 1.7)
        opening = np.exp(-(((self._signed - flow.middle) / 0.34) ** 2))
        fringe = np.minimum(fringe * longer * (1 - style.gap * opening), _LONGEST)
        if style.gap:  # what the middle lacks hangs beside the eyes
            fringe += 0.8 * style.fringe * style.gap * smooth_step(0.35, 0.7, self._angle)
        reach = fringe * self._front + (style.over_ears + 0.07) * (1 - self._front)
        depth = self._last[1] - _ROOTS + reach - 0.10 * flow.parting
        ragged = 0.05 + 0.22 * np.abs(reach) + 0.10 * style.curl
        depth += 0.12 * np.minimum(np.abs(reach), 0.4) * lumps
        if style.fade:
            clipped = self._height - (7.15 + 0.65 * style.fade) + 2.0 * smooth_step(0.95, 0.6, self._angle)
            depth = np.minimum(depth, 0.6 * clipped)
        if style.length:
            # From the temple down, hair frames the face, or goes behind the ear.
            open_from = 0.62 + (1.0 if cut.tucked else 0.36) * smooth_step(7.85, 7.35, self._height) + 0.02 * lumps
            beside = 0.8 * (self._angle - open_from)
            depth = np.maximum(np.where(self._height < 7.95, np.minimum(depth, beside + 0.10), depth), beside - 0.03)
            ends = (1 - self._hung) * style.length * 0.7
            depth = np.where(self._hung > 0, np.minimum(beside, ends), depth)
            ragged = np.where(self._hung > 0, 0.16, ragged)
        return depth.astype(np.float32), (ragged + 0 * depth).astype(np.float32)

    def _alpha_map(self, depth: Floats, ragged: Floats, flow: HairFlow, person: Person) -> Floats:
        """How high each strand stands, 0..1: nothing outside the hairline and beyond the strands' ends."""
        fine = cv2.resize(np.stack([depth, ragged], -1), (MAP_COLUMNS, MAP_ROWS), interpolation=cv2.INTER_LINEAR)
        covered = (flow.strands - 0.5) * fine[..., 1]
        covered += fine[..., 0]
        covered += (0.22 + 0.2 * person.recession) * flow.single
        covered *= 7
        np.clip(covered, 0, 1, out=covered)
        covered *= 0.42 + 0.58 * flow.strands
        return np.asarray(covered, np.float32)

    def _shells(
        self, style: HairStyle, cut: _Cut, flow: HairFlow, posed: Floats, depth: Floats, lumps: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """The outer and inner surface of the hair, [rows, AROUND + 1, 3], and how much light reaches it, 0..1."""
        at_vertices = self._grid.at_vertices(np.stack([depth, flow.parting, lumps], -1))
        inside, parting, bumps = (at_vertices[:SKULL_ROWS, :, k] for k in range(3))
        volume = style.volume * cut.volume
        rise = smooth_step(0.0, 0.35 + 0.6 * volume, inside)  # hair that is still sparse lies close
        thick = volume * (style.sides + (1 - style.sides) * self._top) * (1 + 0.09 * bumps)
        thick += 0.12 * style.quiff * self._brow
        thick *= (1 - 0.45 * np.minimum(parting, 1)) * rise
        np.minimum(thick, self._temples, out=thick)
        thick += style.knot * self._knot
        close = not style.length and style.over_ears < 0.15
        lowest = 0.012 - 0.035 * close * self._beside * smooth_step(0.14, 0.04, inside)
        if style.length and not cut.tucked:
            thick += 0.17 * self._ears
        np.maximum(thick, lowest, out=thick)
        skull = self._grid.skull(posed)
        outer = skull + self._grid.outward * thick[..., None].astype(np.float32)
        shade = ((0.55 + 0.45 * rise) * (1 - 0.35 * np.minimum(parting, 1))).astype(np.float32)
        if not style.length:
            return outer.astype(np.float32), skull, shade
        hanging = self._hang(outer[-1], style, cut, at_vertices[SKULL_ROWS:, :, 2])
        within = hanging - 0.10 * self._grid.outward[-1]
        below = np.broadcast_to(np.linspace(0.95, 0.8, HANGING_ROWS)[:, None], hanging.shape[:2])
        return (
            np.concatenate([outer, hanging]),
            np.concatenate([skull, within]),
            np.concatenate([shade, below]).astype(np.float32),
        )

    def _hang(self, edge: Floats, style: HairStyle, cut: _Cut, bumps: Floats) -> Floats:
        """Rows of hair below the skull's last one, `edge` [AROUND + 1, 3]."""
        drop = np.linspace(0, 1, HANGING_ROWS + 1)[1:, None, None].astype(np.float32)
        out = self._grid.outward[-1] * np.array([1, 0, 1], np.float32)
        out /= np.linalg.norm(out, axis=1, keepdims=True) + 1e-6
        # Never through the cheeks: at the sides it hangs at least as wide as the jaw, or the ears that it covers.
        wide = np.abs(edge[:, 0])
        at_side = smooth_step(0.4, 0.7, wide)
        start = edge.copy()
        start[:, 0] = np.sign(edge[:, 0]) * np.maximum(wide, at_side * (0.80 if cut.tucked else 0.93))
        bottom = _ENDS - style.length * cut.length - cut.slant * smooth_step(-0.2, 0.7, edge[:, 2])
        down = (bottom - edge[:, 1])[:, None] * drop * np.array([0, 1, 0], np.float32)
        inward = -0.10 if style.length < 1 else 0.04
        bow = np.sin(drop * np.pi) * (0.04 + 0.08 * style.curl) + inward * drop**2 + 0.03 * bumps[..., None]
        hanging: Floats = (edge + np.minimum(drop * 4, 1) * (start - edge) + down + out * bow).astype(np.float32)
        return hanging

    def _assemble(
        self,
        outer: Floats,
        inner: Floats,
        shade: Floats,
        alpha_map: Floats,
        flow: HairFlow,
        highest: Floats,
        style: HairStyle,
    ) -> HairMesh:
        rows = len(outer)
        count = rows * (AROUND + 1)
        # Cells without hair need not be drawn; their corners tell, and those of the cells beside them.
        near = cv2.dilate(self._grid.at_vertices(highest)[:rows], np.ones((3, 3), np.uint8))
        grid = self._grid.triangles[: (rows - 1) * AROUND * 2]
        grid = grid[np.repeat(near[:-1, :-1].reshape(-1) > -0.2, 2)]
        normals = vertex_normals(outer.reshape(count, 3), grid)
        shells = _SHORTEST if style.volume < 0.06 else _SHELLS
        copies = len(shells)
        points = [(inner + share * (outer - inner)).reshape(count, 3) for share, _, _ in shells]
        return HairMesh(
            points=np.concatenate(points).astype(np.float32),
            normals=np.tile(normals, (copies, 1)),
            tangents=np.tile(flow.tangents[:rows].reshape(count, 3), (copies, 1)),
            texcoords=np.tile(self._grid.texcoords[:rows].reshape(count, 2), (copies, 1)),
            shade=np.concatenate([bright * shade.reshape(count) for _, _, bright in shells]).astype(np.float32),
            triangles=np.concatenate([grid + number * count for number in range(copies)]).astype(np.int32),
            alpha_cutoffs=np.repeat(np.array([level for _, level, _ in shells], np.float32), len(grid)),
            shadowing=len(grid),
            alpha_map=alpha_map,
            strands=flow.strands,
        )
