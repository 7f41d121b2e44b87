"""Occluding cloth: a mask over nose and chin, a scarf round neck and chin, stretched over the posed face."""

import cv2
import numpy as np
from numpy.typing import NDArray

from facedistill.synth.arrays import Floats
from facedistill.synth.assets import Assets
from facedistill.synth.masks import smooth_step
from facedistill.synth.shade import COVERING
from facedistill.synth.submeshes import Submesh, grid_submesh
from facedistill.synth.texture_layout import AXIS_Z, texture_coordinates

_NEIGHBOURS = 3
_MASK_ROWS, _MASK_COLUMNS, _MASK_ANGLE = 24, 23, 0.93
_SCARF_ROWS, _SCARF_COLUMNS = 22, 49
_SCARF_TOPS = (6.22, 6.50, 6.78)  # under the chin, over it, over the mouth


class SurfaceAnchors:
    """Points of the resting head, bound to the nearest skin vertices, so that they follow every deformation."""

    def __init__(self, assets: Assets, angles: NDArray[np.floating], heights: NDArray[np.floating]) -> None:
        angles, heights = np.atleast_2d(*np.broadcast_arrays(angles, heights))
        places = texture_coordinates(np.stack([np.sin(angles), heights, AXIS_Z + np.cos(angles)], axis=-1))
        rows, columns = places[..., 0].astype(int), places[..., 1].astype(int)
        rest = assets.sheet_points[rows, columns].reshape(-1, 3)
        skin = np.flatnonzero(assets.vertices_of("skin") & (assets.inner_mouth < 0.5))
        there = assets.points[skin]
        away = (there**2).sum(axis=1) - 2 * rest @ there.T  # squared, but for a constant
        nearest = np.argpartition(away, _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS]
        weights = 1 / (np.linalg.norm(rest[:, None] - there[nearest], axis=2) + 0.01)
        self._weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)[..., None]
        self._skin = skin[nearest]
        self._offset = rest - (self._weights * assets.points[self._skin]).sum(axis=1)
        self._shape = (*angles.shape, 3)

    def positions(self, posed: Floats) -> Floats:
        """The points on a posed head [V, 3]: float32 [..., 3]."""
        points = (self._weights * posed[self._skin]).sum(axis=1) + self._offset
        return np.asarray(points, np.float32).reshape(self._shape)


def tauten(points: Floats, rounds: int) -> Floats:
    """Stretches a grid over hollows: moves points outwards until none lies nearer the axis than its neighbours.

    Args:
        points: [R, C, 3], head frame, decimetres.
        rounds: Number of relaxation steps.

    Returns:
        float32 [R, C, 3]; no point is nearer to the head's vertical axis than before.
    """
    side, front = points[..., 0], points[..., 2] - AXIS_Z
    reach = np.hypot(side, front)
    drawn = reach.copy()
    for _ in range(rounds):
        drawn[1:-1] = np.maximum(drawn[1:-1], (drawn[:-2] + drawn[2:]) / 2)
        drawn[:, 1:-1] = np.maximum(drawn[:, 1:-1], (drawn[:, :-2] + drawn[:, 2:]) / 2)
    drawn[1:-1, 1:-1] = (drawn[1:-1, 1:-1] + cv2.GaussianBlur(drawn, (5, 5), 0)[1:-1, 1:-1]) / 2
    grown = np.maximum(drawn, reach) / np.maximum(reach, 1e-6)
    return np.stack([side * grown, points[..., 1], AXIS_Z + front * grown], axis=-1).astype(np.float32)


def push_outwards(points: Floats, by: Floats) -> Floats:
    """Points [R, C, 3] moved away from the head's vertical axis by `by` [R, C], decimetres."""
    direction = points - np.array([0, 0, AXIS_Z], np.float32)
    direction[..., 1] = 0
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True) + 1e-6
    return (points + by[..., None] * direction).astype(np.float32)


class FaceCoverings:
    """Builds masks and scarves on posed heads."""

    def __init__(self, assets: Assets) -> None:
        down = np.linspace(0, 1, _MASK_ROWS)[:, None]
        around = np.linspace(-_MASK_ANGLE, _MASK_ANGLE, _MASK_COLUMNS)[None]
        top = 7.04 - 0.20 * smooth_step(0.15, 0.9, np.abs(around)) + 0.06 * np.exp(-((around / 0.11) ** 2))
        bottom = 6.165 + 0.30 * smooth_step(0.3, 0.93, np.abs(around))
        self._mask = SurfaceAnchors(assets, around, top * (1 - down) + bottom * down)
        loop = np.linspace(0, 1, 7)
        self._loops = [
            SurfaceAnchors(assets, side * (_MASK_ANGLE - 0.02 + 0.50 * loop), low + (high - low) * loop**0.8)
            for side in (-1.0, 1.0)
            for low, high in ((6.82, 7.12), (6.50, 6.90))
        ]
        down = np.linspace(0, 1, _SCARF_ROWS)[:, None]
        around = np.linspace(-np.pi, np.pi, _SCARF_COLUMNS)[None]
        back = 6.45
        rims = [back + (front - back) * smooth_step(2.4, 0.9, np.abs(around)) for front in _SCARF_TOPS]
        self._scarves = [SurfaceAnchors(assets, around, rim * (1 - down) + 5.45 * down) for rim in rims]

    def mask(self, posed: Floats, seed: int) -> list[Submesh]:
        """A mask, pleated or with a seam, and its four ear loops, on a posed head [V, 3]."""
        rng = np.random.default_rng(seed)
        down = np.linspace(0, 1, _MASK_ROWS, dtype=np.float32)[:, None]
        across = np.linspace(-1, 1, _MASK_COLUMNS, dtype=np.float32)[None]
        pleated = rng.random() < 0.65
        middle = 1 - across**4
        points = tauten(self._mask.positions(posed), 10)
        edge = np.minimum(np.minimum(down, 1 - down) * 6, 1) * np.minimum((1 - np.abs(across)) * 5, 1)
        offset = 0.02 + 0.045 * edge + float(rng.uniform(0, 0.03)) * edge * (1 - across**2)
        bright = np.ones_like(offset)
        if pleated:  # each fold overlaps and shades the one below
            fold = (3.6 * down + float(rng.uniform(0, 0.4))) % 1.0
            inner = smooth_step(0.08, 0.2, down) * smooth_step(0.95, 0.8, down)
            offset = offset + 0.022 * fold * inner * middle
            bright = 1 - 0.26 * smooth_step(0.22, 0.0, fold) * inner * (0.4 + 0.6 * middle)
        else:  # two halves with a seam
            bright = bright - 0.16 * np.exp(-((across / 0.05) ** 2))
            offset = offset + 0.02 * np.exp(-((across / 0.5) ** 2)) * edge
        hem = smooth_step(0.07, 0.03, np.minimum(down, 1 - down)) + 0 * across
        bright = bright * (1 + 0.06 * hem) * (1 - 0.08 * np.abs(across) ** 3)
        bright = bright * (1 + 0.05 * np.sin(9 * across + 5 * down + seed % 7) * (1 - middle))
        submeshes = [grid_submesh(push_outwards(points, offset), COVERING, bright)]
        for loop in self._loops:
            line = loop.positions(posed)
            lifted = push_outwards(line, np.full(line.shape[:2], 0.035, np.float32))
            up = np.array([0, 0.016, 0], np.float32)
            ribbon = np.concatenate([lifted + up, lifted - up])
            submeshes.append(grid_submesh(ribbon, COVERING, np.full(ribbon.shape[:2], 0.95, np.float32)))
        return submeshes

    def scarf(self, posed: Floats, seed: int) -> list[Submesh]:
        """A scarf in slanting folds round neck and chin of a posed head [V, 3]."""
        rng = np.random.default_rng(seed)
        anchors = self._scarves[int(rng.choice(len(self._scarves), p=(0.5, 0.3, 0.2)))]
        down = np.linspace(0, 1, _SCARF_ROWS, dtype=np.float32)[:, None]
        around = np.linspace(-np.pi, np.pi, _SCARF_COLUMNS, dtype=np.float32)[None]
        points = tauten(anchors.positions(posed), 14)
        windings, slant, phase = rng.uniform(2.2, 3.4), rng.choice((-1, 1)) * rng.uniform(0.5, 1.1), rng.uniform(0, 6)
        turn = windings * down + slant * np.sin(around / 2) + 0.22 * np.sin(2 * around + phase) + phase
        turn = turn + 0.07 * np.sin(7 * around + 3 * phase + 4 * down)
        wave = np.abs(np.sin(np.pi * turn))  # rounded folds, sharp creases between them
        offset = (0.05 + 0.11 * wave) * np.minimum(1, 0.35 + 5 * down) + 0.16 * down
        bright = 0.55 + 0.45 * smooth_step(0.0, 0.55, wave)
        pattern = rng.random()
        if pattern < 0.3:
            bright = bright * (0.62 + 0.38 * smooth_step(-0.3, 0.3, np.sin(5 * np.pi * turn)))
        elif pattern < 0.7:  # knitted
            bright = bright * (0.94 + 0.06 * np.cos(np.arange(_SCARF_COLUMNS) * np.pi)[None])
        return [grid_submesh(push_outwards(points, offset), COVERING, bright)]
