"""Shader of the skin, with an approximation of subsurface scattering. Compiled by numba.

Skin covers most of a picture, so it is shaded in blocks of samples: first all texture look-ups, then all arithmetic,
without branches and several samples per SIMD instruction.
"""

import math

from facedistill.synth.arrays import Floats
from facedistill.synth.compiling import inline, kernel
from facedistill.synth.shading import clamp, light_visibility

# Overlays of the skin texture.
BEARD, ROOTS, LIPS, LIDS, CHEEKS = range(5)
OVERLAYS = 5

BLOCK = 256  # samples per block, which fits into the first-level cache
# Rows of a block below the vertex attributes of `shade.shade`: slope of the relief, colour, and so on.
_ACROSS, _DOWN, _RED, _GREEN, _BLUE, _GLOSS, _HAIRY, _LIT = range(13, 21)
BLOCK_ROWS = 21


@kernel
def shade_skin(
    block: Floats, count: int, eye: Floats, ambient: Floats, light: Floats, key: Floats, projection: Floats,
    shadow: Floats, texture: Floats, overlay: Floats, gloss: Floats, tints: Floats, out: Floats,
) -> None:  # fmt: skip
    """Shades the samples in the first `count` columns of `block`: writes linear RGB to `out` [3, BLOCK].

    The first rows of `block` [BLOCK_ROWS, BLOCK] are the samples' attributes, the others are scratch; other arguments
    as in `shade.shade`.
    """
    # One kind of look-up per loop, so that many memory accesses overlap.
    _sample_texture(block, count, texture, gloss[0])
    _apply_overlay(block, count, overlay, gloss[1], tints)
    for i in range(count):
        x, y, z = block[0, i] + 0.03 * block[3, i], block[1, i] + 0.03 * block[4, i], block[2, i] + 0.03 * block[5, i]
        block[_LIT, i] = light_visibility(x, y, z, projection, shadow, 0.025)
    _light(block, count, eye, ambient, light, key, out)


@inline
def _sample_texture(block: Floats, count: int, texture: Floats, shine: float) -> None:
    """Samples colour, relief and gloss of the skin texture."""
    for i in range(count):
        row = clamp(block[9, i], 0.0, texture.shape[0] - 2.001)
        column = clamp(block[10, i], 0.0, texture.shape[1] - 2.001)
        r, c = int(row), int(column)
        fr, fc = row - r, column - c
        w00, w01, w10, w11 = (1 - fr) * (1 - fc), (1 - fr) * fc, fr * (1 - fc), fr * fc
        for k in range(3):
            block[_RED + k, i] = (
                w00 * texture[r, c, k]
                + w01 * texture[r, c + 1, k]
                + w10 * texture[r + 1, c, k]
                + w11 * texture[r + 1, c + 1, k]
            )
        h00, h01, h10, h11 = texture[r, c, 3], texture[r, c + 1, 3], texture[r + 1, c, 3], texture[r + 1, c + 1, 3]
        block[_ACROSS, i] = (h01 - h00) * (1 - fr) + (h11 - h10) * fr
        block[_DOWN, i] = (h00 - h10) * (1 - fc) + (h01 - h11) * fc
        g00, g01, g10, g11 = texture[r, c, 4], texture[r, c + 1, 4], texture[r + 1, c, 4], texture[r + 1, c + 1, 4]
        block[_GLOSS, i] = shine * (w00 * g00 + w01 * g01 + w10 * g10 + w11 * g11)


@inline
def _apply_overlay(block: Floats, count: int, overlay: Floats, shine: float, tints: Floats) -> None:
    """Blends the overlays over the colour; writes the share of hair."""
    for i in range(count):
        row = clamp(block[9, i], 0.0, overlay.shape[0] - 2.001)
        column = clamp(block[10, i], 0.0, overlay.shape[1] - 2.001)
        r, c = int(row), int(column)
        fr, fc = row - r, column - c
        hairy = 0.0
        for k in range(OVERLAYS):
            if tints[k, 3] <= 0.0:
                continue
            upper = overlay[r, c, k] + fc * (overlay[r, c + 1, k] - overlay[r, c, k])
            lower = overlay[r + 1, c, k] + fc * (overlay[r + 1, c + 1, k] - overlay[r + 1, c, k])
            m = clamp((upper + fr * (lower - upper)) * tints[k, 3], 0.0, 1.0)
            if m > 0.0:
                if k <= ROOTS:
                    hairy = max(hairy, m)
                elif k == LIPS:
                    block[_GLOSS, i] += m * shine
                for ch in range(3):
                    block[_RED + ch, i] += m * (tints[k, ch] - block[_RED + ch, i])
        block[_HAIRY, i] = hairy


@inline
def _light(block: Floats, count: int, eye: Floats, ambient: Floats, light: Floats, key: Floats, out: Floats) -> None:
    ex, ey, ez = eye[0], eye[1], eye[2]
    lx, ly, lz = light[0], light[1], light[2]
    key_r, key_g, key_b = key[0], key[1], key[2]
    r0, rx, ry, rz = ambient[0, 0], ambient[1, 0], ambient[2, 0], ambient[3, 0]
    g0, gx, gy, gz = ambient[0, 1], ambient[1, 1], ambient[2, 1], ambient[3, 1]
    b0, bx, by, bz = ambient[0, 2], ambient[1, 2], ambient[2, 2], ambient[3, 2]
    for i in range(count):
        nx, ny, nz = block[3, i], block[4, i], block[5, i]
        across, down = block[_ACROSS, i], block[_DOWN, i]
        # Relief: the texture's row runs down, its column to the subject's left.
        length = 1.0 / (math.sqrt(nx * nx + nz * nz) + 1e-6)
        tx, tz = nz * length, -nx * length
        ux, uy, uz = ny * tz, nz * tx - nx * tz, -ny * tx
        nx -= across * tx + down * ux
        ny -= down * uy
        nz -= across * tz + down * uz
        length = 1.0 / (math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9)
        nx, ny, nz = nx * length, ny * length, nz * length
        sx, sy, sz = block[6, i], block[7, i], block[8, i]
        sharp = nx * lx + ny * ly + nz * lz
        soft = (sx * lx + sy * ly + sz * lz) / (math.sqrt(sx * sx + sy * sy + sz * sz) + 1e-9)
        vx, vy, vz = ex - block[0, i], ey - block[1, i], ez - block[2, i]
        length = 1.0 / math.sqrt(vx * vx + vy * vy + vz * vz)
        vx, vy, vz = vx * length, vy * length, vz * length
        # Specular: two Blinn-Phong lobes under Schlick's Fresnel term, F0 of skin = 0.028.
        hx, hy, hz = lx + vx, ly + vy, lz + vz
        length = 1.0 / (math.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9)
        half = min(max((nx * hx + ny * hy + nz * hz) * length, 0.0), 1.0)
        grazing = 1.0 - min(max((vx * hx + vy * hy + vz * hz) * length, 0.0), 1.0)
        lit, hairy, gloss = block[_LIT, i], block[_HAIRY, i], block[_GLOSS, i]
        occlusion = min(max(block[11, i] * (1.0 - 0.85 * block[12, i]), 0.0), 1.0)
        fresnel = 0.028 + 0.972 * grazing**5
        shine = fresnel * gloss * (1.0 - hairy) * (1.6 * half**14 + 2.6 * half**52) * min(max(sharp, 0.0), 1.0) * lit
        turned = 1.0 - min(max(nx * vx + ny * vy + nz * vz, 0.0), 1.0)
        rim = (0.02 + 0.25 * turned**5) * occlusion * (1.0 - hairy) * min(gloss, 1.0)
        bare, inner = 1.0 - 0.7 * hairy, 1.0 - 0.8 * block[12, i]
        # Light scatters under the skin, red most: smoother normals, wrapped diffuse light, softer shadows.
        direct = _wrapped(sharp, soft, 0.62, 0.30 * bare, occlusion) * _through(lit, 0.40)
        sky = _sky(nx, ny, nz, sx, sy, sz, 0.62, r0, rx, ry, rz)
        out[0, i] = _mixed(block[_RED, i], key_r * direct, sky, occlusion) * inner + key_r * shine + rim * sky
        direct = _wrapped(sharp, soft, 0.38, 0.15 * bare, occlusion) * _through(lit, 0.15)
        sky = _sky(nx, ny, nz, sx, sy, sz, 0.38, g0, gx, gy, gz)
        out[1, i] = _mixed(block[_GREEN, i], key_g * direct, sky, occlusion) * inner + key_g * shine + rim * sky
        direct = _wrapped(sharp, soft, 0.25, 0.08 * bare, occlusion) * _through(lit, 0.0)
        sky = _sky(nx, ny, nz, sx, sy, sz, 0.25, b0, bx, by, bz)
        out[2, i] = _mixed(block[_BLUE, i], key_b * direct, sky, occlusion) * inner + key_b * shine + rim * sky


@inline
def _wrapped(sharp: float, soft: float, depth: float, wrap: float, occlusion: float) -> float:
    """Share of the key light that a slanting surface takes up."""
    direct = min(max((sharp + depth * (soft - sharp) + wrap) / (1.0 + wrap), 0.0), 1.0)
    # About direct ** (1 + wrap), without the power.
    return direct * (1.0 - wrap + wrap * direct) * (0.55 + 0.45 * occlusion)


@inline
def _through(lit: float, spread: float) -> float:
    """The key light where a share `lit` of it falls; a tenth comes back from all around."""
    return 0.10 + 0.90 * lit * (1.0 + spread * (1.0 - lit))


@inline
def _sky(
    nx: float, ny: float, nz: float, sx: float, sy: float, sz: float, depth: float,
    even: float, slope_x: float, slope_y: float, slope_z: float,
) -> float:  # fmt: skip
    """Ambient light on a normal that lies `depth` of the way towards the smoothed one."""
    x, y, z = nx + depth * (sx - nx), ny + depth * (sy - ny), nz + depth * (sz - nz)
    return max(even + slope_x * x + slope_y * y + slope_z * z, 0.02 * even)


@inline
def _mixed(colour: float, direct: float, sky: float, occlusion: float) -> float:
    """Reflected key and ambient light; interreflection brightens occluded places of bright skin."""
    hollow = occlusion * (1.0 + (0.75 * colour - 0.35) * (1.0 - occlusion))
    return colour * (direct + sky * hollow)
