"""Shaders of hair and of plain materials: teeth, tongue, lashes, cloth. Compiled by numba."""

import math

from facedistill.synth.arrays import Floats
from facedistill.synth.compiling import inline, kernel
from facedistill.synth.raster import map_value
from facedistill.synth.shading import clamp, light_visibility, unit


@inline
def _lit(x: float, y: float, z: float, projection: Floats, shadow: Floats) -> float:
    """Share of the key light that reaches a strand: four samples of the shadow map, enough for hair."""
    u = projection[0, 0] * x + projection[0, 1] * y + projection[0, 2] * z + projection[0, 3] - 0.5
    v = projection[1, 0] * x + projection[1, 1] * y + projection[1, 2] * z + projection[1, 3] - 0.5
    d = projection[2, 0] * x + projection[2, 1] * y + projection[2, 2] * z + projection[2, 3] - 0.07
    side = shadow.shape[0]
    if u < 0.0 or v < 0.0 or u >= side - 1.0 or v >= side - 1.0:
        return 1.0
    column, row = int(u), int(v)
    fu, fv = u - column, v - row
    total = 0.0
    if shadow[row, column] > d:
        total += (1.0 - fu) * (1.0 - fv)
    if shadow[row, column + 1] > d:
        total += fu * (1.0 - fv)
    if shadow[row + 1, column] > d:
        total += (1.0 - fu) * fv
    if shadow[row + 1, column + 1] > d:
        total += fu * fv
    return total


@kernel
def shade_hair(
    a: Floats, eye: Floats, ambient: Floats, light: Floats, key: Floats, projection: Floats, shadow: Floats,
    strands: Floats, hair: Floats, out: Floats,
) -> None:  # fmt: skip
    """Shades a sample of hair with attributes `a`: writes linear RGB to `out`; other arguments as in `shade.shade`."""
    rows, columns = strands.shape
    r = min(max(int(a[9]), 0), rows - 1)
    strand = map_value(strands, a[9], a[10])
    tx, ty, tz = unit(a[6], a[7], a[8], 1e-9)
    vx, vy, vz = unit(eye[0] - a[0], eye[1] - a[1], eye[2] - a[2], 0.0)
    nx, ny, nz = a[3], a[4], a[5]
    if nx * vx + ny * vy + nz * vz < 0.0:
        nx, ny, nz = -nx, -ny, -nz
        a[11] *= 0.45  # the inside of hanging hair
    lit = _lit(a[0] + 0.05 * nx, a[1] + 0.05 * ny, a[2] + 0.05 * nz, projection, shadow)
    along = tx * light[0] + ty * light[1] + tz * light[2]
    facing = nx * light[0] + ny * light[1] + nz * light[2]
    across = math.sqrt(max(1.0 - along * along, 0.0))
    diffuse = across * clamp(0.35 + 0.65 * facing, 0.0, 1.0)
    # Two highlights, shifted towards root and tip (Marschner et al. 2003, in Kajiya-Kay's simpler form).
    hx, hy, hz = light[0] + vx, light[1] + vy, light[2] + vz
    length = math.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9
    ht = (tx * hx + ty * hy + tz * hz) / length
    jitter = 0.30 * (strand - 0.5)
    first = max(1.0 - (ht + 0.10 + jitter) ** 2, 0.0) ** 32
    second = max(1.0 - (ht - 0.14 + jitter) ** 2, 0.0) ** 8
    sheen = clamp(facing + 0.3, 0.0, 1.0) * lit * hair[4]
    depth = a[11] * (0.62 + 0.55 * strand)
    other = strands[(r * 3 + 17) % rows, (int(a[10]) * 3 + 13) % columns]
    # Grey hairs are mixed with pigmented ones.
    grey = clamp(0.85 * hair[3] + 0.9 * (other - 0.5) * hair[3] * (1.0 - hair[3]) * 2.0, 0.0, 1.0)
    for ch in range(3):
        colour = hair[ch] + grey * (0.8 * hair[5 + ch] - hair[ch])
        colour *= 0.72 + 0.56 * strand
        sky = max(ambient[0, ch] + 0.7 * (ambient[1, ch] * nx + ambient[2, ch] * ny + ambient[3, ch] * nz), 0.0)
        # Strands reflect a little of the ambient light, by which black hair is visible.
        out[ch] = (colour * (key[ch] * diffuse * lit + sky) + (0.008 + 0.022 * strand) * hair[4] * sky) * depth
        out[ch] += key[ch] * sheen * depth * (0.018 * first + 0.45 * colour * second)


@kernel
def shade_plain(
    a: Floats, eye: Floats, ambient: Floats, light: Floats, key: Floats, projection: Floats, shadow: Floats,
    colour: Floats, out: Floats,
) -> None:  # fmt: skip
    """Shades a sample of a plain material: diffuse, with a highlight of strength colour[3]; see `shade_hair`."""
    lit = light_visibility(a[0] + 0.04 * a[3], a[1] + 0.04 * a[4], a[2] + 0.04 * a[5], projection, shadow, 0.04)
    cosine = a[3] * light[0] + a[4] * light[1] + a[5] * light[2]
    vx, vy, vz = unit(eye[0] - a[0], eye[1] - a[1], eye[2] - a[2], 0.0)
    hx, hy, hz = light[0] + vx, light[1] + vy, light[2] + vz
    length = math.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9
    half = clamp((a[3] * hx + a[4] * hy + a[5] * hz) / length, 0.0, 1.0)
    shine = colour[3] * half**40 * lit
    for ch in range(3):
        sky = max(ambient[0, ch] + ambient[1, ch] * a[3] + ambient[2, ch] * a[4] + ambient[3, ch] * a[5], 0.0)
        out[ch] = colour[ch] * a[12] * (key[ch] * clamp(cosine, 0.0, 1.0) * lit + sky * a[11]) + key[ch] * shine
