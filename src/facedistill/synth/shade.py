"""The colour of every pixel. One loop, compiled by numba; light is linear RGB, everything is in the head frame."""

import math

import numpy as np

from facedistill.synth.raster import corner_weights
from facedistill.synth.shade_eye import shade_eye
from facedistill.synth.shade_hair import shade_hair, shade_plain
from facedistill.synth.shade_skin import BLOCK, BLOCK_ROWS, shade_skin
from facedistill.synth.surface import Floats, Ints, inline, kernel

SKIN, EYE, TEETH, TONGUE, LASH, HAIR, CLOTH, OTHER_CLOTH, HAT = range(9)
# Columns of the vertex attributes.
POSITION, NORMAL, SOFT, PLACE, OCCLUSION, EXTRA = 0, 3, 6, 9, 11, 12
ATTRIBUTES = 13


@kernel
def shade(
    owner: Ints, nearness: Floats, screen: Floats, triangles: Ints, kinds: Ints, attributes: Floats,
    eye: Floats, ambient: Floats, light: Floats, key: Floats, plane: Floats, shadow: Floats,
    sheet: Floats, cover: Floats, look: Floats, tints: Floats, eyes: Floats, strands: Floats, hair: Floats,
    plain: Floats,
) -> Floats:  # fmt: skip
    """Shades the buffers and averages each 2x2 pixels.

    Args:
        owner: [2H, 2W], from `raster.rasterise`.
        nearness: [2H, 2W], from there too.
        screen: [V, 3], as there.
        triangles: [T, 3].
        kinds: [T], what each triangle is made of (`SKIN` ...).
        attributes: [V, ATTRIBUTES] per vertex: position, normal, smoothed normal (hair: tangent; not unit), place on
            the sheet (hair: on the strand map), occlusion, and the inner mouth (skin) or a brightness (the rest).
        eye: [3] the camera's place.
        ambient: [4, 3], see `light.Light`, as for the next four.
        light: [3], the key light's direction.
        key: [3].
        plane: [3, 4].
        shadow: [side, side].
        sheet: [R, C, 5] skin: linear RGB, relief, gloss.
        cover: [R, C, COVERS] masks 0..1.
        look: [gloss of the skin, gloss of the lips].
        tints: [COVERS, 4] linear RGB and amount of each cover.
        eyes: [2, 20], see `eyes.Eyes.table`.
        strands: [R, C] strand map, 0..1.
        hair: [8] RGB, share of grey hairs, sheen, RGB of grey.
        plain: [kinds, 4] RGB and highlight of the plain materials.

    Returns:
        float32 [H, W, 4]: linear RGB times coverage, and coverage 0..1.
    """
    height, width = owner.shape[0] // 2, owner.shape[1] // 2
    picture = np.zeros((height, width, 4), np.float32)
    a = np.empty(ATTRIBUTES, np.float32)
    out = np.empty(3, np.float32)
    block, skin = np.empty((BLOCK_ROWS, BLOCK), np.float32), np.empty((3, BLOCK), np.float32)
    places, shares = np.empty((BLOCK, 2), np.int32), np.empty(BLOCK, np.float32)
    waiting = 0
    for row in range(height):
        for column in range(width):
            # Where all four samples show one material, its two diagonal ones are enough, and one is where they lie side
            # by side on something smooth.
            y, x = 2 * row, 2 * column
            t, u = owner[y, x], owner[y + 1, x + 1]
            if t < 0 and u < 0 and owner[y, x + 1] < 0 and owner[y + 1, x] < 0:
                continue
            even = t >= 0 and u >= 0 and kinds[t] == kinds[u] and kinds[t] != EYE
            if even:
                t, u = owner[y, x + 1], owner[y + 1, x]
                even = t >= 0 and u >= 0 and kinds[t] == kinds[u] and kinds[t] == kinds[owner[y, x]]
            step = 1
            if even:
                first, last = nearness[2 * row, 2 * column], nearness[2 * row + 1, 2 * column + 1]
                step = 4 if kinds[t] != HAIR and abs(first - last) < 0.003 * first else 3
            share = 0.25 if step == 1 else (0.5 if step == 3 else 1.0)
            for sub in range(0, 4, step):
                y, x = 2 * row + sub // 2, 2 * column + sub % 2
                t = owner[y, x]
                if t < 0:
                    continue
                kind = kinds[t]
                picture[row, column, 3] += share
                if kind == SKIN:
                    places[waiting, 0], places[waiting, 1], shares[waiting] = y, x, share
                    waiting += 1
                    if waiting == BLOCK:
                        _gather(places, waiting, owner, screen, triangles, attributes, block)
                        shade_skin(
                            block, waiting, eye, ambient, light, key, plane, shadow, sheet, cover, look, tints, skin
                        )
                        _spread(skin, waiting, places, shares, picture)
                        waiting = 0
                    continue
                _interpolate(t, x + 0.5, y + 0.5, screen, triangles, attributes, a)
                if kind == EYE:
                    shade_eye(a, eye, ambient, light, key, plane, shadow, eyes, out)
                elif kind == HAIR:
                    shade_hair(a, eye, ambient, light, key, plane, shadow, strands, hair, out)
                else:
                    shade_plain(a, eye, ambient, light, key, plane, shadow, plain[kind], out)
                picture[row, column, 0] += share * out[0]
                picture[row, column, 1] += share * out[1]
                picture[row, column, 2] += share * out[2]
    _gather(places, waiting, owner, screen, triangles, attributes, block)
    shade_skin(block, waiting, eye, ambient, light, key, plane, shadow, sheet, cover, look, tints, skin)
    _spread(skin, waiting, places, shares, picture)
    return picture


@inline
def _interpolate(t: int, x: float, y: float, screen: Floats, triangles: Ints, attributes: Floats, a: Floats) -> None:
    """Writes the attributes of triangle `t` at a point of the screen to `a`, with a unit normal."""
    i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
    wa, wb = corner_weights(screen, i, j, k, x, y)
    wc = 1.0 - wa - wb
    for n in range(ATTRIBUTES):
        a[n] = wa * attributes[i, n] + wb * attributes[j, n] + wc * attributes[k, n]
    length = math.sqrt(a[3] * a[3] + a[4] * a[4] + a[5] * a[5]) + 1e-9
    a[3] /= length
    a[4] /= length
    a[5] /= length


@inline
def _gather(
    places: Ints, count: int, owner: Ints, screen: Floats, triangles: Ints, attributes: Floats, block: Floats
) -> None:
    """Interpolates the attributes at rows and columns [BLOCK, 2] of the buffers, a column of `block` each."""
    for i in range(count):
        y, x = places[i, 0], places[i, 1]
        _interpolate(owner[y, x], x + 0.5, y + 0.5, screen, triangles, attributes, block[:, i])


@inline
def _spread(colours: Floats, count: int, places: Ints, shares: Floats, picture: Floats) -> None:
    """Adds samples [3, BLOCK] to the pixels that they are shares of."""
    for i in range(count):
        for ch in range(3):
            picture[places[i, 0] // 2, places[i, 1] // 2, ch] += shares[i] * colours[ch, i]
