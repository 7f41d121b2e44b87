"""Hair: shells over the skull, cut into strands by an alpha test, as in fur rendering.

A hairstyle sets the thickness of the shells, the direction of the strands and where they end. Towards the ends and the
hairline strands are thinned out over the roots that the skin texture shows, so that hair has no sharp outline.
"""

from dataclasses import dataclass
from functools import lru_cache, partial

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
from facedistill.synth.mesh import Mesh
from facedistill.synth.noise import cloud
from facedistill.synth.person import Person
from facedistill.synth.raster import vertex_normals
from facedistill.synth.texture_layout import azimuth

# Shells: share of the thickness, alpha cutoff, brightness; the first one casts the shadows. Short hair has one shell.
_SHELLS = ((0.60, 0.08, 0.70), (1.0, 0.47, 1.0))
_SHORTEST = ((1.0, 0.30, 0.9),)
_ROOTS = 0.13  # depth inside the hairline, decimetres, where shells replace the roots in the skin texture
_LONGEST = 0.43  # a fringe ends above the brows
_ENDS = 6.75  # height from which the length of hanging hair counts, decimetres


@dataclass(frozen=True, eq=False)
class HairMesh:
    """The shells of the hair. N vertices, T triangles.

    Attributes:
        points, normals, tangents: float32 [N, 3], head frame; tangents along the strands.
        texcoords: float32 [N, 2], row and column on the strand maps.
        shade: float32 [N], occlusion, 0..1, lower near the roots.
        triangles: int32 [T, 3].
        alpha_cutoffs: float32 [T], see `raster.rasterise`.
        shadowing: Number of the first triangles that cast the shadow.
        alpha_map: float32 [MAP_ROWS, MAP_COLUMNS], height of each strand, 0..1, compared with `alpha_cutoffs`.
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
    """Random variation of a hairstyle in one picture.

    Attributes:
        fringe, volume, length: Factors.
        tucked: Whether hanging hair is behind the ears.
        slant: Additional length in front, decimetres.
    """

    fringe: float
    volume: float
    length: float
    tucked: bool
    slant: float


class HairBuilder:
    """Builds hair on posed heads; holds the grid, the strand maps and the noises that all hair shares."""

    def __init__(self, assets: Assets) -> None:
        rng = np.random.default_rng(25)
        self._grid = HairGrid(assets)
        self._flow = HairFlowBuilder(self._grid)
        self._lumps = cloud(rng, *COARSE, 9, 2)
        self._hairline = lru_cache(maxsize=1)(partial(hairline_depth, self._grid.coarse_points))
        angle = azimuth(self._grid.coarse_points)
        self._angle, self._signed = np.abs(angle), angle
        self._height = self._grid.coarse_points[..., 1]
        self._front = smooth_step(1.15, 0.55, self._angle)
        rows = (np.arange(COARSE[0]) + 0.5) / COARSE[0] * MAP_ROWS - 0.5
        self._hung = ((rows - FREE_ROW) / (MAP_ROWS - 1 - FREE_ROW))[:, None].astype(np.float32)
        resting = self._grid.resting
        around = np.abs(azimuth(resting))
        self._top = smooth_step(7.55, 8.25, resting[..., 1])
        # Thin at the temples: from the front the background would be visible between hair and head.
        self._temples = 0.012 + 0.24 * smooth_step(1.05, 1.8, around) + 0.3 * smooth_step(7.75, 8.15, resting[..., 1])
        # At the sides the edge of short hair is drawn by the roots alone, without strands against the background.
        self._beside = smooth_step(0.7, 0.95, around)
        self._brow = np.exp(-((azimuth(resting) / 0.6) ** 2)) * smooth_step(7.85, 8.15, resting[..., 1])
        self._ears = np.exp(-(((around - 1.45) / 0.4) ** 2)) * smooth_step(7.65, 7.3, resting[..., 1])
        from_knot = resting - np.array([0.0, 8.45, 0.15], np.float32)
        self._knot = np.exp(-np.einsum("rcx,rcx->rc", from_knot, from_knot) / 0.30**2)

    def build(self, person: Person, style: HairStyle, posed: Floats, seed: int) -> HairMesh | None:
        """The hair on a head, or None for a style without volume.

        Args:
            person: Person whose hairline is drawn.
            style: The hairstyle.
            posed: [V, 3] the posed head, head frame.
            seed: Seed of the random variation.
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
        outer, inner, shade = self._surfaces(style, cut, flow, posed, depth, lumps)
        rows = len(outer)
        count = rows * (AROUND + 1)
        # Cells without hair at their corners and at those of the adjacent cells are left out.
        near = cv2.dilate(self._grid.at_vertices(depth + 0.5 * ragged)[:rows], np.ones((3, 3), np.uint8))
        grid = self._grid.triangles[: (rows - 1) * AROUND * 2]
        grid = grid[np.repeat(near[:-1, :-1].reshape(-1) > -0.2, 2)]
        shells = _SHORTEST if style.volume < 0.06 else _SHELLS
        copies = len(shells)
        points = [(inner + share * (outer - inner)).reshape(count, 3) for share, _, _ in shells]
        return HairMesh(
            points=np.concatenate(points).astype(np.float32),
            normals=np.tile(vertex_normals(outer.reshape(count, 3), grid), (copies, 1)),
            tangents=np.tile(flow.tangents[:rows].reshape(count, 3), (copies, 1)),
            texcoords=np.tile(self._grid.texcoords[:rows].reshape(count, 2), (copies, 1)),
            shade=np.concatenate([bright * shade.reshape(count) for _, _, bright in shells]).astype(np.float32),
            triangles=np.concatenate([grid + number * count for number in range(copies)]).astype(np.int32),
            alpha_cutoffs=np.repeat(np.array([level for _, level, _ in shells], np.float32), len(grid)),
            shadowing=len(grid),
            alpha_map=alpha_map,
            strands=flow.strands,
        )

    def skull_cap(self, posed: Floats, thickness: float) -> tuple[Mesh, Floats]:
        """A cap over the skull, and the height of each vertex above its rim, float32 [N]; all in decimetres."""
        grid = self._grid
        points = grid.skull(posed) + thickness * grid.outward
        angle = np.abs(azimuth(grid.resting))
        rim = 7.74 - 0.28 * smooth_step(0.7, 1.6, angle) - 0.12 * smooth_step(1.6, 2.8, angle)
        triangles = grid.triangles[: (SKULL_ROWS - 1) * AROUND * 2]
        above = (grid.resting[..., 1] - rim).reshape(-1).astype(np.float32)
        return Mesh.with_normals(points.reshape(-1, 3), triangles), above

    def _depth(
        self, person: Person, style: HairStyle, cut: _Cut, flow: HairFlow, lumps: Floats
    ) -> tuple[Floats, Floats]:
        """Depth inside the outline of the hair, and its variation between strands; decimetres, float32 [*COARSE]."""
        fringe = style.fringe * cut.fringe
        longer = np.clip(1 - style.sweep * flow.side * self._signed / 0.55, 0.1, 1.7)
        opening = np.exp(-(((self._signed - flow.middle) / 0.34) ** 2))
        fringe = np.minimum(fringe * longer * (1 - style.gap * opening), _LONGEST)
        if style.gap:  # the hair of the gap hangs beside the eyes
            fringe += 0.8 * style.fringe * style.gap * smooth_step(0.35, 0.7, self._angle)
        reach = fringe * self._front + (style.over_ears + 0.07) * (1 - self._front)
        depth = self._hairline(person) - _ROOTS + reach - 0.10 * flow.parting
        ragged = 0.05 + 0.22 * np.abs(reach) + 0.10 * style.curl
        depth += 0.12 * np.minimum(np.abs(reach), 0.4) * lumps
        if style.fade:
            clipped = self._height - (7.15 + 0.65 * style.fade) + 2.0 * smooth_step(0.95, 0.6, self._angle)
            depth = np.minimum(depth, 0.6 * clipped)
        if style.length:
            # From the temple down, hair hangs beside the face, or behind the ear.
            open_from = 0.62 + (1.0 if cut.tucked else 0.36) * smooth_step(7.85, 7.35, self._height) + 0.02 * lumps
            beside = 0.8 * (self._angle - open_from)
            depth = np.maximum(np.where(self._height < 7.95, np.minimum(depth, beside + 0.10), depth), beside - 0.03)
            ends = (1 - self._hung) * style.length * 0.7
            depth = np.where(self._hung > 0, np.minimum(beside, ends), depth)
            ragged = np.where(self._hung > 0, 0.16, ragged)
        return depth.astype(np.float32), (ragged + 0 * depth).astype(np.float32)

    def _alpha_map(self, depth: Floats, ragged: Floats, flow: HairFlow, person: Person) -> Floats:
        """The alpha map, 0..1: height of each strand, 0 outside the hairline and beyond the ends."""
        fine = cv2.resize(np.stack([depth, ragged], -1), (MAP_COLUMNS, MAP_ROWS), interpolation=cv2.INTER_LINEAR)
        height = (flow.strands - 0.5) * fine[..., 1]
        height += fine[..., 0]
        height += (0.22 + 0.2 * person.recession) * flow.single
        height *= 7
        np.clip(height, 0, 1, out=height)
        height *= 0.42 + 0.58 * flow.strands
        return np.asarray(height, np.float32)

    def _surfaces(
        self, style: HairStyle, cut: _Cut, flow: HairFlow, posed: Floats, depth: Floats, lumps: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Outer and inner surface of the hair, [rows, AROUND + 1, 3], and its occlusion, [rows, AROUND + 1], 0..1."""
        at_vertices = self._grid.at_vertices(np.stack([depth, flow.parting, lumps], -1))
        inside, parting, bumps = (at_vertices[:SKULL_ROWS, :, k] for k in range(3))
        volume = style.volume * cut.volume
        rise = smooth_step(0.0, 0.35 + 0.6 * volume, inside)  # sparse hair lies close to the skull
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
        # At the sides hair hangs outside of the jaw, or of the ears that it covers, so that it never cuts the cheeks.
        wide = np.abs(edge[:, 0])
        at_side = smooth_step(0.4, 0.7, wide)
        start = edge.copy()
        start[:, 0] = np.sign(edge[:, 0]) * np.maximum(wide, at_side * (0.80 if cut.tucked else 0.93))
        bottom = _ENDS - style.length * cut.length - cut.slant * smooth_step(-0.2, 0.7, edge[:, 2])
        down = (bottom - edge[:, 1])[:, None] * drop * np.array([0, 1, 0], np.float32)
        inward = -0.10 if style.length < 1 else 0.04
        bow = np.sin(drop * np.pi) * (0.04 + 0.08 * style.curl) + inward * drop**2 + 0.03 * bumps[..., None]
        return np.asarray(edge + np.minimum(drop * 4, 1) * (start - edge) + down + out * bow, np.float32)
