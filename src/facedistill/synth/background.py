"""Backgrounds: walls, rooms, windows, streets and trees, out of focus."""

from collections.abc import Iterable
from functools import lru_cache

import cv2
import numpy as np

from facedistill.synth.arrays import Floats
from facedistill.synth.noise import cloud

_SIDE = 72  # everything is out of focus: it is drawn small
_LIT = (0.08, 1.0)  # range of the light on it, as a share of that on the face
_CLOUDS = 12  # drawn of each kind
_LEAVES = (8, 11, 15, 21)  # sizes of the blotches of foliage, pixels
_MARGIN = np.array([0.012, 0.012, -0.012, -0.012])  # of a picture on a wall, as `_box` takes it
_DOWN, _ACROSS = np.mgrid[-1 : 1 : _SIDE * 1j, -1 : 1 : _SIDE * 1j].astype(np.float32)  # -1..1


def draw_background(kind: str, seed: int, size: int) -> Floats:
    """Draws a blurred background, linear RGB, float32 [size, size, 3]; `kind` is one of `BACKGROUNDS`."""
    rng = np.random.default_rng(seed)
    picture = _DRAWERS[kind](rng)
    light = rng.uniform(0, 2 * np.pi)
    fall = 1 + rng.uniform(0.05, 0.4) * (np.cos(light) * _ACROSS + np.sin(light) * _DOWN)
    picture *= (fall * np.exp(rng.uniform(*np.log(_LIT)))).astype(np.float32)[..., None]
    blur = float(rng.uniform(0.7, 3.2)) if kind != "studio" else 2.0
    blurred = np.clip(cv2.GaussianBlur(picture, (0, 0), blur), 0.002, 2.5)
    return cv2.resize(blurred, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)


@lru_cache
def _bank(coarse: int, octaves: int) -> list[Floats]:
    """Noises tiled to twice the side, so that any window of one side can be cut out."""
    rng = np.random.default_rng((coarse, octaves))
    return [np.tile(cloud(rng, _SIDE, _SIDE, coarse, octaves), (2, 2)) for _ in range(_CLOUDS)]


def _cloud(rng: np.random.Generator, coarse: int, octaves: int) -> Floats:
    """Noise like that of `noise.cloud`, [_SIDE, _SIDE], cut from precomputed ones for speed."""
    left, top, number = rng.integers((_SIDE, _SIDE, _CLOUDS)).tolist()
    window: Floats = _bank(coarse, octaves)[number][top : top + _SIDE, left : left + _SIDE]
    return window[:, ::-1] if rng.random() < 0.5 else window


def _colour(rng: np.random.Generator, low: float, high: float, saturation: float) -> Floats:
    tint = 1 + saturation * rng.uniform(-1, 1, 3)
    return np.asarray(rng.uniform(low, high) ** 1.6 * tint, np.float32)


def _box(picture: Floats, rng: np.random.Generator, box: Iterable[float], colour: Floats) -> None:
    """Fills a slightly leaning rectangle (left, top, right, bottom as fractions)."""
    left, top, right, bottom = (v * _SIDE * 16 for v in box)
    lean = rng.uniform(-0.02, 0.02) * _SIDE * 16
    corners = np.array([[left + lean, top], [right + lean, top], [right, bottom], [left, bottom]]).astype(np.int32)
    cv2.fillPoly(picture, [corners], colour.tolist(), cv2.LINE_AA, 4)


def _studio(rng: np.random.Generator) -> Floats:
    x, y = _ACROSS - rng.uniform(-0.3, 0.3), _DOWN - rng.uniform(-0.2, 0.4)
    spot = np.exp(-(x**2 + y**2) / rng.uniform(0.8, 3))
    mottled = 1 + rng.uniform(0, 0.12) * _cloud(rng, 30, 3)
    shaded = (0.55 + 0.6 * spot) * mottled
    return np.asarray(shaded[..., None] * _colour(rng, 0.15, 0.95, 0.25), np.float32)


def _wall(rng: np.random.Generator) -> Floats:
    picture = np.tile(_colour(rng, 0.35, 0.95, 0.15), (_SIDE, _SIDE, 1))
    picture *= (1 + rng.uniform(0.01, 0.06) * _cloud(rng, 9, 3))[..., None]
    if rng.random() < 0.4:  # bricks, boards or tiles
        step, strength = int(rng.integers(5, 16)), rng.uniform(0.82, 0.95)
        if rng.random() < 0.6:
            picture[::step] *= strength
        if rng.random() < 0.6:
            picture[:, :: int(step * rng.uniform(1, 2.5))] *= strength
    if rng.random() < 0.5:  # a corner: the other wall has another light
        at = int(rng.uniform(0.05, 0.95) * _SIDE)
        picture[:, :at] *= rng.uniform(0.6, 0.92)
    for _ in range(int(rng.integers(0, 3))):  # pictures, notices, switches
        left, top = rng.uniform(-0.1, 0.95), rng.uniform(-0.1, 0.6)
        wide, high = rng.uniform(0.08, 0.4, 2)
        box = np.array([left, top, left + wide, top + high])
        _box(picture, rng, box, _colour(rng, 0.1, 0.9, 0.4))
        _box(picture, rng, box + _MARGIN, _colour(rng, 0.15, 0.95, 0.3))
    return picture


def _room(rng: np.random.Generator) -> Floats:
    picture = _wall(rng)
    if rng.random() < 0.5:  # shelves with things on them
        left, right = sorted(rng.uniform(-0.2, 1.2, 2))
        wood = _colour(rng, 0.2, 0.55, 0.1) * np.array([1.25, 0.95, 0.7], np.float32)
        for top in np.arange(rng.uniform(-0.1, 0.1), 1, rng.uniform(0.18, 0.32)):
            at = left
            while at < right:
                wide = rng.uniform(0.015, 0.07)
                _box(picture, rng, (at, top - rng.uniform(0.06, 0.16), at + wide, top), _colour(rng, 0.1, 0.85, 0.5))
                at += wide + (rng.uniform(0, 0.05) if rng.random() < 0.3 else 0)
            _box(picture, rng, (left, top, right, top + 0.02), wood)
    if rng.random() < 0.5:  # a door
        left, top, wide = rng.uniform(-0.2, 0.9), rng.uniform(-0.1, 0.2), rng.uniform(0.2, 0.35)
        _box(picture, rng, (left, top, left + wide, 1.1), _colour(rng, 0.2, 0.9, 0.2))
    for _ in range(int(rng.integers(0, 4))):  # lamps
        centre = (int(rng.uniform(0, _SIDE)), int(rng.uniform(0, 0.5 * _SIDE)))
        warm = np.array([2.2, 1.9, 1.4]) * rng.uniform(0.5, 1.2)
        cv2.circle(picture, centre, int(rng.uniform(1, 5)), warm.tolist(), -1, cv2.LINE_AA)
    _box(picture, rng, (-0.1, rng.uniform(0.75, 1.1), 1.1, 1.2), _colour(rng, 0.1, 0.6, 0.3))
    return picture


def _window(rng: np.random.Generator) -> Floats:
    picture = _wall(rng) * rng.uniform(0.4, 0.8)
    sky = np.array([1.3, 1.45, 1.6], np.float32) * rng.uniform(0.6, 1.2)
    left, top = rng.uniform(-0.3, 0.7), rng.uniform(-0.2, 0.15)
    panes, wide, high = int(rng.integers(1, 4)), rng.uniform(0.15, 0.35), rng.uniform(0.4, 0.9)
    for pane in range(panes):
        a = left + pane * (wide + 0.03)
        _box(picture, rng, (a, top, a + wide, top + high), sky)
        if rng.random() < 0.6:
            lower = top + high * rng.uniform(0.5, 0.8)
            _box(picture, rng, (a, lower, a + wide, top + high), sky * _colour(rng, 0.3, 0.7, 0.3))
    return picture


def _outdoor(rng: np.random.Generator) -> Floats:
    y = np.linspace(0, 1, _SIDE, dtype=np.float32)[:, None, None]
    cloudy = rng.random()
    blue = np.array([0.45, 0.66, 1.05], np.float32) * (1 - cloudy) + np.array([0.9, 0.93, 0.97], np.float32) * cloudy
    picture = np.tile(blue * (0.7 + 0.5 * y) * rng.uniform(0.6, 1.2), (1, _SIDE, 1)).astype(np.float32)
    green = np.array([0.16, 0.22, 0.07]) * rng.uniform(0.4, 1.6) * rng.uniform(0.8, 1.2, 3)
    leaves = _cloud(rng, int(rng.choice(_LEAVES)), 5)
    horizon = rng.uniform(0.2, 0.9)
    height = horizon - 0.35 * np.abs(_cloud(rng, 30, 3)[:1]) * rng.uniform(0.3, 1)
    trees = np.clip((y[..., 0] + 0.05 * leaves - height) * 14, 0, 1)[..., None]
    picture += trees * (green.astype(np.float32) * np.exp(0.45 * leaves)[..., None] - picture)
    ground = np.clip((y - rng.uniform(0.75, 1.2)) * 20, 0, 1)
    picture += ground * (_colour(rng, 0.3, 0.7, 0.2) - picture)
    return picture


def _street(rng: np.random.Generator) -> Floats:
    picture = _outdoor(rng)
    at = rng.uniform(-0.3, 0.1)
    while at < 1:
        wide, top = rng.uniform(0.2, 0.6), rng.uniform(-0.2, 0.4)
        wall = _colour(rng, 0.25, 0.8, 0.2)
        _box(picture, rng, (at, top, at + wide, 1.1), wall)
        rows, columns = int(rng.integers(2, 6)), int(rng.integers(2, 5))
        glass = wall * rng.uniform(0.3, 0.7) if rng.random() < 0.7 else _colour(rng, 0.4, 1.0, 0.2)
        for r in range(rows):
            for c in range(columns):
                a, b = at + wide * (c + 0.25) / columns, top + 0.05 + (1.0 - top) * r / rows
                _box(picture, rng, (a, b, a + 0.5 * wide / columns, b + 0.55 / rows), glass)
        at += wide + (rng.uniform(0, 0.3) if rng.random() < 0.4 else 0)
    return picture


_DRAWERS = {"studio": _studio, "wall": _wall, "room": _room, "window": _window, "outdoor": _outdoor, "street": _street}
BACKGROUNDS = tuple(_DRAWERS)
