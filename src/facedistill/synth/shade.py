"""The shader: the colour of every pixel, in linear RGB and the head frame. Compiled by numba."""

import numpy as np

from facedistill.synth.arrays import Floats, Ints
from facedistill.synth.compiling import inline, kernel
from facedistill.synth.raster import corner_weights
from facedistill.synth.shade_eye import shade_eye
from facedistill.synth.shade_hair import shade_hair, shade_plain
from facedistill.synth.shade_skin import BLOCK, BLOCK_ROWS, shade_skin
from facedistill.synth.shading import unit

SKIN, EYE, TEETH, TONGUE, LASH, HAIR, CLOTH, COVERING, HAT = range(9)
# Columns of the vertex attributes.
POSITION, NORMAL, SOFT, TEXCOORD, OCCLUSION, EXTRA = 0, 3, 6, 9, 11, 12
ATTRIBUTES = 13


@kernel
def shade(
    triangle_ids: Ints, inverse_depth: Floats, screen: Floats, triangles: Ints, materials: Ints, attributes: Floats,
    eye: Floats, ambient: Floats, light: Floats, key: Floats, projection: Floats, shadow: Floats,
    texture: Floats, overlay: Floats, gloss: Floats, tints: Floats, eyes: Floats, strands: Floats, hair: Floats,
    plain: Floats,
) -> Floats:  # fmt: skip
    """Shades the visible triangles, with 2x2 supersampling.

    Args:
        triangle_ids: [2H, 2W], from `raster.rasterise`.
        inverse_depth: [2H, 2W], from there.
        screen: [V, 3], as there.
        triangles: [T, 3].
        materials: [T], material of each triangle (`SKIN` ...).
        attributes: [V, ATTRIBUTES] per vertex: position, normal, smoothed normal (hair: tangent; not unit),
            row and column in the texture (hair: in the strand map), occlusion, the mask of the inner mouth (skin) or a
            brightness (other materials).
        eye: [3] the camera's centre.
        ambient: [4, 3], see `light.Light`, as for the next four.
        light: [3], the key light's direction.
        key: [3].
        projection: [3, 4].
        shadow: [side, side].
        texture: [R, C, 5] skin: linear RGB, relief, gloss.
        overlay: [R, C, OVERLAYS] masks of the overlays, 0..1.
        gloss: [2] of the skin and of the lips.
        tints: [OVERLAYS, 4] linear RGB and opacity of each overlay.
        eyes: [2, 20], see `eyes.EyeModel.shader_table`.
        strands: [R, C] strand map, 0..1.
        hair: [8] RGB, share of grey hairs, sheen, RGB of grey.
        plain: [materials, 4] RGB and strength of the highlight of the plain materials.

    Returns:
        float32 [H, W, 4]: linear RGB times coverage, and coverage 0..1.
    """
    height, width = triangle_ids.shape[0] // 2, triangle_ids.shape[1] // 2
    picture = np.zeros((height, width, 4), np.float32)
    a = np.empty(ATTRIBUTES, np.float32)
    out = np.empty(3, np.float32)
    block, skin = np.empty((BLOCK_ROWS, BLOCK), np.float32), np.empty((3, BLOCK), np.float32)
    places, shares = np.empty((BLOCK, 2), np.int32), np.empty(BLOCK, np.float32)
    lit = (eye, ambient, light, key, projection, shadow)
    waiting = 0
    for row in range(height):
        for column in range(width):
            # Where all four samples show one material, two diagonal ones are shaded, or one where it is smooth.
            y, x = 2 * row, 2 * column
            t, u = triangle_ids[y, x], triangle_ids[y + 1, x + 1]
            if t < 0 and u < 0 and triangle_ids[y, x + 1] < 0 and triangle_ids[y + 1, x] < 0:
                continue
            even = t >= 0 and u >= 0 and materials[t] == materials[u] and materials[t] != EYE
            if even:
                t, u = triangle_ids[y, x + 1], triangle_ids[y + 1, x]
                even = t >= 0 and u >= 0 and materials[t] == materials[u] == materials[triangle_ids[y, x]]
            step = 1
            if even:
                first, last = inverse_depth[y, x], inverse_depth[y + 1, x + 1]
                step = 4 if materials[t] != HAIR and abs(first - last) < 0.003 * first else 3
            share = 0.25 if step == 1 else (0.5 if step == 3 else 1.0)
            for sub in range(0, 4, step):
                y, x = 2 * row + sub // 2, 2 * column + sub % 2
                t = triangle_ids[y, x]
                if t < 0:
                    continue
                material = materials[t]
                picture[row, column, 3] += share
                if material == SKIN:
                    places[waiting, 0], places[waiting, 1], shares[waiting] = y, x, share
                    waiting += 1
                    if waiting == BLOCK:
                        _gather(places, waiting, triangle_ids, screen, triangles, attributes, block)
                        shade_skin(block, waiting, *lit, texture, overlay, gloss, tints, skin)
                        _spread(skin, waiting, places, shares, picture)
                        waiting = 0
                    continue
                _interpolate(t, x + 0.5, y + 0.5, screen, triangles, attributes, a)
                if material == EYE:
                    shade_eye(a, *lit, eyes, out)
                elif material == HAIR:
                    shade_hair(a, *lit, strands, hair, out)
                else:
                    shade_plain(a, *lit, plain[material], out)
                for ch in range(3):
                    picture[row, column, ch] += share * out[ch]
    _gather(places, waiting, triangle_ids, screen, triangles, attributes, block)
    shade_skin(block, waiting, *lit, texture, overlay, gloss, tints, skin)
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
    a[3], a[4], a[5] = unit(a[3], a[4], a[5], 1e-9)


@inline
def _gather(
    places: Ints, count: int, triangle_ids: Ints, screen: Floats, triangles: Ints, attributes: Floats, block: Floats
) -> None:
    """Interpolates the attributes at rows and columns [BLOCK, 2] of the buffers, a column of `block` each."""
    for i in range(count):
        y, x = places[i, 0], places[i, 1]
        _interpolate(triangle_ids[y, x], x + 0.5, y + 0.5, screen, triangles, attributes, block[:, i])


@inline
def _spread(colours: Floats, count: int, places: Ints, shares: Floats, picture: Floats) -> None:
    """Adds samples [3, BLOCK], times their shares, to their pixels."""
    for i in range(count):
        for ch in range(3):
            picture[places[i, 0] // 2, places[i, 1] // 2, ch] += shares[i] * colours[ch, i]
