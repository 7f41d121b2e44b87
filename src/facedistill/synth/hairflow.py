"""The flow of hair over the skull: direction of the strands, strand maps, parting."""

from dataclasses import dataclass
from functools import cache, partial

import cv2
import numpy as np
from numpy.typing import NDArray

from facedistill.synth.arrays import Floats
from facedistill.synth.hairgrid import CENTRE, FREE_ROW, HANGING_ROWS, MAP_COLUMNS, MAP_ROWS, HairGrid
from facedistill.synth.masks import smooth_step
from facedistill.synth.noise import cloud, streaks

# Strands run as meridians away from a pole (a direction from the centre of the skull). Beyond the parting, given by its
# distance from the middle (decimetres, None = no parting), they run away from a second pole. Half of the variants are
# mirrored.
FLOW_PATTERNS: dict[str, tuple[tuple[float, float, float], float | None, tuple[float, float, float]]] = {
    "crown": ((0.12, 0.90, -0.45), None, (0, 1, 0)),
    "forward": ((0.55, 0.80, -0.25), None, (0, 1, 0)),
    "back": ((0.10, 0.10, 1.0), None, (0, 1, 0)),
    "side": ((0.85, 0.20, 0.60), 0.34, (-0.45, 0.85, 0.45)),
    "centre": ((0.60, 0.65, 0.55), 0.04, (-0.60, 0.65, 0.55)),
}
VARIANTS = 6  # of each, half of them mirrored
_BANK_ROWS, _BANK_COLUMNS = 256, 1024


@dataclass(frozen=True, eq=False)
class HairFlow:
    """Flow of the hair on the resting head.

    Attributes:
        strands: float32 [MAP_ROWS, MAP_COLUMNS], 0..1, brightness and relative height of the strands.
        single: float32 [MAP_ROWS, MAP_COLUMNS], -0.5..0.5, noise of single hairs, for sparse hair.
        tangents: float32 [rows of the grid, AROUND + 1, 3], along the strands.
        parting: float32 [*COARSE], 1 on the parting.
        side: 1 or -1 (the subject's left or right), side of the parting or of the short end of the fringe.
        middle: Angle of the parting from the nose, radians.
    """

    strands: Floats
    single: Floats
    tangents: Floats
    parting: Floats
    side: int
    middle: float


class HairFlowBuilder:
    """Builds the flow of hairstyles; keeps each one that was built."""

    def __init__(self, grid: HairGrid) -> None:
        rng = np.random.default_rng(22)
        self._grid = grid
        straight = [streaks(rng, _BANK_ROWS, _BANK_COLUMNS, length, width) for length, width in _STRAIGHT]
        self._straight = np.average(straight, axis=0, weights=_SHARES).astype(np.float32)
        frizz = [cv2.resize(cloud(rng, MAP_ROWS, 290, cell, 3), (MAP_COLUMNS, MAP_ROWS)) for cell in (7, 11)]
        self._frizz = [np.clip(0.5 + 0.25 * some, 0, 1) for some in frizz]
        self._bends = cloud(rng, MAP_ROWS, MAP_COLUMNS, 50, 2)
        self._single = streaks(rng, _BANK_ROWS, _BANK_COLUMNS, length=12, width=1.8)
        self._grain = rng.random((MAP_ROWS, MAP_COLUMNS)).astype(np.float32)
        self._kept = cache(self._draw)
        self._resting_arms = _arms(grid.resting)
        self._meridian = cache(partial(_meridian, _arms(grid.map_points)))

    def build(self, pattern: str, wave: float, curl: float, variant: int) -> HairFlow:
        """The flow of a pattern (a key of `FLOW_PATTERNS`) with `wave` and `curl` 0..1; `variant` below `VARIANTS`."""
        return self._kept(pattern, wave, curl, variant)

    def _draw(self, pattern: str, wave: float, curl: float, variant: int) -> HairFlow:
        pole, parting, far_pole = FLOW_PATTERNS[pattern]
        side = 1 if variant % 2 == 0 else -1
        offset = None if parting is None else parting * (0.75 + 0.25 * (variant // 2))
        points, resting = self._grid.map_points, self._grid.resting
        near, far = ((side * axis[0], *axis[1:]) for axis in (pole, far_pole))
        across, along = self._meridian(near)
        tangents = _away(self._resting_arms, near)
        if offset is not None:
            beyond = side * points[..., 0] > offset
            other_across, other_along = self._meridian(far)
            across, along = np.where(beyond, other_across, across), np.where(beyond, other_along, along)
            tangents = np.where(side * resting[..., :1] > offset, _away(self._resting_arms, far), tangents)
        strands, single = self._strands(across, along, wave, curl, variant)
        down = np.broadcast_to(np.array([0, -1, 0], np.float32), (HANGING_ROWS, *tangents.shape[1:]))
        return HairFlow(
            strands=strands,
            single=single,
            tangents=np.concatenate([tangents, down]).astype(np.float32),
            parting=_parting(self._grid.coarse_points, side, offset),
            side=side,
            middle=side * (offset or 0.0) / 1.1,
        )

    def _strands(self, across: Floats, along: Floats, wave: float, curl: float, variant: int) -> tuple[Floats, Floats]:
        row = np.arange(MAP_ROWS)[:, None]
        down = along + np.maximum(row - FREE_ROW, 0) * 0.04
        bends = np.roll(self._bends, 85 * variant, axis=1)
        bent = across + (0.03 + 0.02 * wave) * bends + 0.06 * wave * np.sin(13 * down + 2.5 * bends + variant)
        columns = bent / (2 * np.pi) * _BANK_COLUMNS + 171 * variant
        rows = down / np.pi * (_BANK_ROWS - 1)
        places = columns.astype(np.float32), rows.astype(np.float32)
        straight = cv2.remap(self._straight, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        frizz = np.roll(self._frizz[variant % 2], 85 * variant, axis=1)
        mixed = (1 - curl) * straight + curl * (0.25 * straight + 0.75 * frizz)
        low, high = np.percentile(mixed[::4, ::4], [3, 97])
        single = 0.7 * cv2.remap(self._single, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        single += 0.3 * self._grain - 0.5
        return np.clip((mixed - low) / (high - low), 0, 1).astype(np.float32), single.astype(np.float32)


_STRAIGHT = ((90, 3), (110, 8), (130, 26))  # lengths and widths of strands, wisps and locks, in pixels of the bank
_SHARES = (0.36, 0.34, 0.30)


def _arms(points: Floats) -> Floats:
    """Unit vectors from inside the skull to points [..., 3]."""
    arms = points - CENTRE
    return np.asarray(arms / np.linalg.norm(arms, axis=-1, keepdims=True), np.float32)


def _meridian(arms: Floats, towards: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Longitude (-pi..pi) and angle from the pole (0..pi) of each unit vector."""
    pole = _unit(np.array(towards))
    side = _unit(np.cross(pole, [0.0, 0.3, -1.0] if abs(pole[2]) < 0.9 else [0.0, -1.0, 0.0]))
    axes = np.stack([side, np.cross(pole, side), pole], axis=1).astype(np.float32)
    sine, cosine, height = np.moveaxis(arms @ axes, -1, 0)
    return np.arctan2(sine, cosine), np.arccos(np.clip(height, -1, 1))


def _away(arms: Floats, towards: tuple[float, ...]) -> Floats:
    """Unit vectors along the meridians."""
    pole = _unit(np.array(towards)).astype(np.float32)
    away = (arms @ pole)[..., None] * arms - pole
    return np.asarray(away / (np.linalg.norm(away, axis=-1, keepdims=True) + 1e-6), np.float32)


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / float(np.linalg.norm(vector))


def _parting(points: Floats, side: int, offset: float | None) -> Floats:
    """1 on the parting, from the forehead to the crown."""
    if offset is None:
        return np.zeros(points.shape[:-1], np.float32)
    line = np.exp(-0.5 * ((side * points[..., 0] - offset) / 0.035) ** 2)
    return np.asarray(line * smooth_step(7.7, 7.9, points[..., 1]) * smooth_step(0.1, 0.4, points[..., 2]), np.float32)
