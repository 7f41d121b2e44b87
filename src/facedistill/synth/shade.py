"""The colour of every pixel: skin that light enters, wet eyes, hair, cloth. One loop, compiled by numba.

Light is linear RGB throughout; everything is in the head frame.
"""

import math

import numpy as np
from numba import njit  # type: ignore[import-untyped]
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

SKIN, EYE, TEETH, TONGUE, LASH, HAIR, CLOTH, FRAME = range(8)
# Columns of the vertex attributes.
POSITION, NORMAL, SOFT, PLACE, OCCLUSION, EXTRA = 0, 3, 6, 9, 11, 12
ATTRIBUTES = 13
# Layers of the cover sheet, laid over the skin's own colour.
BEARD, ROOTS, LIPS, LIDS, CHEEKS = range(5)
COVERS = 5

_kernel = njit(cache=True, nogil=True, fastmath=True)
_inline = njit(cache=True, nogil=True, fastmath=True, inline="always")


@_inline  # type: ignore[misc]
def _clamp(value: float, low: float, high: float) -> float:
    return low if value < low else (high if value > high else value)


@_inline  # type: ignore[misc]
def _step(edge0: float, edge1: float, value: float) -> float:
    """0 below edge0, 1 above edge1, smooth between (edge0 may exceed edge1)."""
    t = _clamp((value - edge0) / (edge1 - edge0), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


@_kernel  # type: ignore[misc]
def _lit(x: float, y: float, z: float, plane: Floats, shadow: Floats, bias: float) -> float:
    """Share of the key light that reaches a point: nine looks into the shadow map."""
    u = plane[0, 0] * x + plane[0, 1] * y + plane[0, 2] * z + plane[0, 3]
    v = plane[1, 0] * x + plane[1, 1] * y + plane[1, 2] * z + plane[1, 3]
    d = plane[2, 0] * x + plane[2, 1] * y + plane[2, 2] * z + plane[2, 3] - bias
    side = shadow.shape[0]
    if u < 2.0 or v < 2.0 or u >= side - 3.0 or v >= side - 3.0:
        return 1.0
    column, row = int(u - 0.5), int(v - 0.5)
    fu, fv = u - 0.5 - column, v - 0.5 - row
    total = 0.0
    for j in range(-1, 3):  # a 3x3 box filter with linear weights at its rim
        wj = (1.0 - fv) if j == -1 else (fv if j == 2 else 1.0)
        for i in range(-1, 3):
            wi = (1.0 - fu) if i == -1 else (fu if i == 2 else 1.0)
            if shadow[row + j, column + i] > d:
                total += wi * wj
    return total / 9.0


@_kernel  # type: ignore[misc]
def _shade_skin(
    a: Floats, eye: Floats, ambient: Floats, light: Floats, key: Floats, plane: Floats, shadow: Floats,
    sheet: Floats, cover: Floats, look: Floats, tints: Floats, out: Floats,
) -> None:  # fmt: skip
    rows, columns = sheet.shape[0], sheet.shape[1]
    row, column = _clamp(a[9], 0.0, rows - 2.001), _clamp(a[10], 0.0, columns - 2.001)
    r, c = int(row), int(column)
    fr, fc = row - r, column - c
    w00, w01, w10, w11 = (1 - fr) * (1 - fc), (1 - fr) * fc, fr * (1 - fc), fr * fc
    base = np.empty(5, np.float32)
    for k in range(5):
        base[k] = (
            w00 * sheet[r, c, k] + w01 * sheet[r, c + 1, k] + w10 * sheet[r + 1, c, k] + w11 * sheet[r + 1, c + 1, k]
        )
    slope_x = (sheet[r, c + 1, 3] - sheet[r, c, 3]) * (1 - fr) + (sheet[r + 1, c + 1, 3] - sheet[r + 1, c, 3]) * fr
    slope_y = (sheet[r, c, 3] - sheet[r + 1, c, 3]) * (1 - fc) + (sheet[r, c + 1, 3] - sheet[r + 1, c + 1, 3]) * fc
    inner = a[12]
    gloss = base[4] * look[0]
    hairy = 0.0
    for k in range(COVERS):
        m = w00 * cover[r, c, k] + w01 * cover[r, c + 1, k] + w10 * cover[r + 1, c, k] + w11 * cover[r + 1, c + 1, k]
        m = _clamp(m * tints[k, 3], 0.0, 1.0)
        if m > 0.0:
            if k <= ROOTS:
                hairy = max(hairy, m)
            elif k == LIPS:
                gloss += m * look[1]
            for ch in range(3):
                base[ch] += m * (tints[k, ch] - base[ch])
    nx, ny, nz = a[3], a[4], a[5]
    # Relief: the sheet's row runs down, its column to the subject's left.
    length = math.sqrt(nx * nx + nz * nz) + 1e-6
    tx, tz = nz / length, -nx / length
    bx, by, bz = ny * tz, nz * tx - nx * tz, -ny * tx
    nx -= slope_x * tx + slope_y * bx
    ny -= slope_y * by
    nz -= slope_x * tz + slope_y * bz
    length = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
    nx, ny, nz = nx / length, ny / length, nz / length
    sharp = nx * light[0] + ny * light[1] + nz * light[2]
    soft = (a[6] * light[0] + a[7] * light[1] + a[8] * light[2]) / (
        math.sqrt(a[6] * a[6] + a[7] * a[7] + a[8] * a[8]) + 1e-9
    )
    lit = _lit(a[0] + 0.03 * a[3], a[1] + 0.03 * a[4], a[2] + 0.03 * a[5], plane, shadow, 0.025)
    vx, vy, vz = eye[0] - a[0], eye[1] - a[1], eye[2] - a[2]
    length = math.sqrt(vx * vx + vy * vy + vz * vz)
    vx, vy, vz = vx / length, vy / length, vz / length
    facing = _clamp(nx * vx + ny * vy + nz * vz, 0.0, 1.0)
    occlusion = _clamp(a[11] * (1.0 - 0.85 * inner), 0.0, 1.0)
    # Specular: two Blinn-Phong lobes under Schlick's Fresnel term, F0 of skin = 0.028.
    hx, hy, hz = light[0] + vx, light[1] + vy, light[2] + vz
    length = math.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9
    half = _clamp((nx * hx + ny * hy + nz * hz) / length, 0.0, 1.0)
    vh = _clamp((vx * hx + vy * hy + vz * hz) / length, 0.0, 1.0)
    fresnel = 0.028 + 0.972 * (1.0 - vh) ** 5
    shine = fresnel * gloss * (1.0 - hairy) * (1.6 * half**14 + 2.6 * half**52) * _clamp(sharp, 0.0, 1.0) * lit
    rim = (0.02 + 0.25 * (1.0 - facing) ** 5) * occlusion * (1.0 - hairy) * min(gloss, 1.0)
    for ch in range(3):
        # Light wanders under the skin, red furthest: it sees smoother normals, wraps round, and softens shadows.
        depth = 0.85 if ch == 0 else (0.5 if ch == 1 else 0.32)
        wrap = 0.38 if ch == 0 else (0.18 if ch == 1 else 0.10)
        wrap *= 1.0 - 0.7 * hairy
        cosine = sharp + depth * (soft - sharp)
        direct = _clamp((cosine + wrap) / (1.0 + wrap), 0.0, 1.0) ** (1.0 + wrap)
        through = lit ** (0.62 if ch == 0 else (0.85 if ch == 1 else 1.0))
        px = nx + depth * (a[6] - nx)
        py = ny + depth * (a[7] - ny)
        pz = nz + depth * (a[8] - nz)
        sky = max(
            ambient[0, ch] + ambient[1, ch] * px + ambient[2, ch] * py + ambient[3, ch] * pz, 0.02 * ambient[0, ch]
        )
        hollow = occlusion ** (1.35 - 0.75 * base[ch])  # light bounces out of bright hollows, not of dark ones
        out[ch] = base[ch] * (key[ch] * direct * through + sky * hollow) * (1.0 - 0.8 * inner)
        out[ch] += key[ch] * shine + rim * sky


@_kernel  # type: ignore[misc]
def _shade_eye(
    a: Floats, eye: Floats, ambient: Floats, light: Floats, key: Floats, plane: Floats, shadow: Floats,
    eyes: Floats, out: Floats,
) -> None:  # fmt: skip
    side = 0 if a[0] < 0.0 else 1
    e = eyes[side]
    px, py, pz = a[0] - e[0], a[1] - e[1], a[2] - e[2]
    length = math.sqrt(px * px + py * py + pz * pz) + 1e-9
    radius = e[3]
    nx, ny, nz = px / length, py / length, pz / length
    # Angle from the gaze, as a fraction of the iris' radius (tan of the angle: the iris is a flat disc).
    toward = nx * e[4] + ny * e[5] + nz * e[6]
    off = math.sqrt(max(1.0 - toward * toward, 0.0)) / e[7] if toward > 0.0 else 9.0
    dx, dy = nx - toward * e[4], ny - toward * e[5]
    angle = math.atan2(dy, dx)
    fibre = (
        0.5
        + 0.28 * math.sin(angle * 23.0 + e[13]) * math.sin(angle * 7.0 + 2.0 * e[13])
        + 0.12 * math.sin(angle * 51.0 + 7.0 * off)
    )
    iris = _step(1.06, 0.94, off)
    pupil = _step(e[8] + 0.06, e[8] - 0.06, off)
    limbus = 1.0 - 0.72 * _step(0.72, 1.0, off)
    # Sclera: never white; redder and darker to the corners.
    corner = _clamp(abs(px) / radius, 0.0, 1.0)
    red = e[14] * (0.25 + 0.75 * corner * corner)
    # The lids' own shade: the upper lid and its lashes darken the ball below them.
    above = (e[9] - py) / radius
    below = (py - e[10]) / radius
    shade = (0.30 + 0.70 * _step(-0.05, 0.55, above)) * (0.72 + 0.28 * _step(-0.05, 0.25, below))
    shade *= 1.0 - 0.45 * _step(0.55, 1.0, corner)
    lit = _lit(a[0] + 0.05 * nx, a[1] + 0.05 * ny, a[2] + 0.05 * nz, plane, shadow, 0.03)
    diffuse = _clamp((nx * light[0] + ny * light[1] + nz * light[2] + 0.25) / 1.25, 0.0, 1.0) * (0.25 + 0.75 * lit)
    vx, vy, vz = eye[0] - a[0], eye[1] - a[1], eye[2] - a[2]
    length = math.sqrt(vx * vx + vy * vy + vz * vz)
    vx, vy, vz = vx / length, vy / length, vz / length
    # The cornea bulges: its normal leans further out than the ball's.
    bulge = 0.35 * _step(1.25, 0.9, off)
    cx, cy, cz = nx + bulge * (nx - e[4]), ny + bulge * (ny - e[5]), nz + bulge * (nz - e[6])
    length = math.sqrt(cx * cx + cy * cy + cz * cz)
    cx, cy, cz = cx / length, cy / length, cz / length
    hx, hy, hz = light[0] + vx, light[1] + vy, light[2] + vz
    length = math.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9
    half = _clamp((cx * hx + cy * hy + cz * hz) / length, 0.0, 1.0)
    spark = (half**420) * 5.0 * lit + half**60 * 0.10 * lit
    # A second, dimmer catch-light: the sky or a window above, mirrored.
    facing = cx * vx + cy * vy + cz * vz
    ry, rx = 2.0 * facing * cy - vy, 2.0 * facing * cx - vx
    window = _step(0.30, 0.42, ry) * _step(0.80, 0.68, ry) * _step(0.40, 0.30, abs(rx - e[15])) * iris
    wet = 0.5 * _step(0.10, 0.02, below) * _step(-0.06, 0.0, below)
    for ch in range(3):
        white = (0.66 if ch == 0 else (0.60 if ch == 1 else 0.565)) * e[16]
        if ch > 0:
            white *= 1.0 - 0.38 * red
        colour = e[17 + ch] * (0.55 + 0.9 * fibre) * limbus * (1.0 + 0.5 * _step(0.9, 0.3, off) * 0.5)
        colour = white + iris * (colour - white)
        colour *= 1.0 - 0.97 * pupil
        sky = max(ambient[0, ch] + ambient[1, ch] * nx + ambient[2, ch] * ny + ambient[3, ch] * nz, 0.0)
        over = max(ambient[0, ch] + ambient[2, ch], 0.0)
        out[ch] = colour * (key[ch] * diffuse + sky) * shade + key[ch] * spark * shade
        out[ch] += over * (0.55 * window + 0.02 + 0.25 * wet) * shade


@_kernel  # type: ignore[misc]
def _shade_hair(
    a: Floats, eye: Floats, ambient: Floats, light: Floats, key: Floats, plane: Floats, shadow: Floats,
    strands: Floats, hair: Floats, out: Floats,
) -> None:  # fmt: skip
    rows, columns = strands.shape
    r = min(max(int(a[9]), 0), rows - 1)
    strand = strands[r, int(a[10]) % columns]
    length = math.sqrt(a[6] * a[6] + a[7] * a[7] + a[8] * a[8]) + 1e-9
    tx, ty, tz = a[6] / length, a[7] / length, a[8] / length
    vx, vy, vz = eye[0] - a[0], eye[1] - a[1], eye[2] - a[2]
    length = math.sqrt(vx * vx + vy * vy + vz * vz)
    vx, vy, vz = vx / length, vy / length, vz / length
    nx, ny, nz = a[3], a[4], a[5]
    if nx * vx + ny * vy + nz * vz < 0.0:
        nx, ny, nz = -nx, -ny, -nz
    lit = _lit(a[0] + 0.05 * nx, a[1] + 0.05 * ny, a[2] + 0.05 * nz, plane, shadow, 0.07)
    along = tx * light[0] + ty * light[1] + tz * light[2]
    facing = nx * light[0] + ny * light[1] + nz * light[2]
    across = math.sqrt(max(1.0 - along * along, 0.0))
    diffuse = across * _clamp(0.35 + 0.65 * facing, 0.0, 1.0)
    # Two highlights, shifted towards root and tip (Marschner et al. 2003, in Kajiya-Kay's simpler form).
    hx, hy, hz = light[0] + vx, light[1] + vy, light[2] + vz
    length = math.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9
    ht = (tx * hx + ty * hy + tz * hz) / length
    jitter = 0.35 * (strand - 0.5)
    first = max(1.0 - (ht + 0.10 + jitter) ** 2, 0.0) ** 40
    second = max(1.0 - (ht - 0.14 + jitter) ** 2, 0.0) ** 14
    sheen = _clamp(facing + 0.3, 0.0, 1.0) * lit * hair[4]
    depth = a[11] * (0.55 + 0.75 * strand)
    grey = hair[3] > strands[(r * 7 + 31) % 8, (int(a[10]) * 5 + 13) % columns]
    for ch in range(3):
        colour = hair[5 + ch] if grey else hair[ch]
        colour *= 0.55 + 0.9 * strand
        sky = max(ambient[0, ch] + 0.7 * (ambient[1, ch] * nx + ambient[2, ch] * ny + ambient[3, ch] * nz), 0.0)
        out[ch] = colour * (key[ch] * diffuse * lit + sky) * depth
        out[ch] += key[ch] * sheen * depth * (0.05 * first + 0.9 * colour * second)


@_kernel  # type: ignore[misc]
def _shade_plain(
    a: Floats, eye: Floats, ambient: Floats, light: Floats, key: Floats, plane: Floats, shadow: Floats,
    colour: Floats, out: Floats,
) -> None:  # fmt: skip
    """Teeth, tongue, cloth, spectacle frames: diffuse, with colour[3] of highlight."""
    lit = _lit(a[0] + 0.04 * a[3], a[1] + 0.04 * a[4], a[2] + 0.04 * a[5], plane, shadow, 0.04)
    cosine = a[3] * light[0] + a[4] * light[1] + a[5] * light[2]
    vx, vy, vz = eye[0] - a[0], eye[1] - a[1], eye[2] - a[2]
    length = math.sqrt(vx * vx + vy * vy + vz * vz)
    hx, hy, hz = light[0] + vx / length, light[1] + vy / length, light[2] + vz / length
    length = math.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9
    half = _clamp((a[3] * hx + a[4] * hy + a[5] * hz) / length, 0.0, 1.0)
    shine = colour[3] * half**40 * lit
    for ch in range(3):
        sky = max(ambient[0, ch] + ambient[1, ch] * a[3] + ambient[2, ch] * a[4] + ambient[3, ch] * a[5], 0.0)
        out[ch] = colour[ch] * a[12] * (key[ch] * _clamp(cosine, 0.0, 1.0) * lit + sky * a[11]) + key[ch] * shine


@_kernel  # type: ignore[misc]
def shade(
    owner: Ints, weights: Floats, triangles: Ints, kinds: Ints, attributes: Floats,
    eye: Floats, ambient: Floats, light: Floats, key: Floats, plane: Floats, shadow: Floats,
    sheet: Floats, cover: Floats, look: Floats, tints: Floats, eyes: Floats, strands: Floats, hair: Floats,
    plain: Floats,
) -> Floats:  # fmt: skip
    """Shades the buffers and averages each 2x2 pixels.

    Args:
        owner, weights: From `raster.rasterise`, [2H, 2W] and [2H, 2W, 2].
        triangles: [T, 3]; kinds: [T], what each triangle is made of (`SKIN` ...).
        attributes: [V, ATTRIBUTES] per vertex: position, normal, smoothed normal (hair: tangent; not unit), place on
            the sheet (hair: on the strand map), occlusion, and the inner mouth (skin) or a brightness (the rest).
        eye: [3] the camera's place.
        ambient, light, key, plane, shadow: See `light.Light`.
        sheet: [R, C, 5] skin: linear RGB, relief, gloss. cover: [R, C, COVERS] masks 0..1.
        look: [gloss of the skin, gloss of the lips].
        tints: [COVERS, 4] linear RGB and amount of each cover.
        eyes: [2, 20], see `eyes.eye_table`.
        strands: [R, C] strand map, 0..1; hair: [8] RGB, share of grey hairs, sheen, RGB of grey.
        plain: [kinds, 4] RGB and highlight of the plain materials.

    Returns:
        float32 [H, W, 4]: linear RGB times coverage, and coverage 0..1.
    """
    height, width = owner.shape[0] // 2, owner.shape[1] // 2
    picture = np.zeros((height, width, 4), np.float32)
    a = np.empty(ATTRIBUTES, np.float32)
    out = np.empty(3, np.float32)
    for row in range(height):
        for column in range(width):
            for sub in range(4):
                y, x = 2 * row + sub // 2, 2 * column + sub % 2
                t = owner[y, x]
                if t < 0:
                    continue
                wa, wb = weights[y, x, 0], weights[y, x, 1]
                wc = 1.0 - wa - wb
                i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
                for n in range(ATTRIBUTES):
                    a[n] = wa * attributes[i, n] + wb * attributes[j, n] + wc * attributes[k, n]
                length = math.sqrt(a[3] * a[3] + a[4] * a[4] + a[5] * a[5]) + 1e-9
                a[3] /= length
                a[4] /= length
                a[5] /= length
                kind = kinds[t]
                if kind == SKIN:
                    _shade_skin(a, eye, ambient, light, key, plane, shadow, sheet, cover, look, tints, out)
                elif kind == EYE:
                    _shade_eye(a, eye, ambient, light, key, plane, shadow, eyes, out)
                elif kind == HAIR:
                    _shade_hair(a, eye, ambient, light, key, plane, shadow, strands, hair, out)
                else:
                    _shade_plain(a, eye, ambient, light, key, plane, shadow, plain[kind], out)
                picture[row, column, 0] += 0.25 * out[0]
                picture[row, column, 1] += 0.25 * out[1]
                picture[row, column, 2] += 0.25 * out[2]
                picture[row, column, 3] += 0.25
    return picture
