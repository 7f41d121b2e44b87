"""Skin that light enters: it wraps round, wanders, and comes out redder. Compiled by numba."""

import math

from facedistill.synth.surface import Floats, clamp, kernel, lit_share

# Layers of the cover sheet, laid over the skin's own colour.
BEARD, ROOTS, LIPS, LIDS, CHEEKS = range(5)
COVERS = 5


@kernel
def shade_skin(
    a: Floats, eye: Floats, ambient: Floats, light: Floats, key: Floats, plane: Floats, shadow: Floats,
    sheet: Floats, cover: Floats, look: Floats, tints: Floats, base: Floats, out: Floats,
) -> None:  # fmt: skip
    """Skin at one sample: writes linear RGB to `out`; `base` is scratch, the rest as in `shade.shade`."""
    rows, columns = sheet.shape[0], sheet.shape[1]
    row, column = clamp(a[9], 0.0, rows - 2.001), clamp(a[10], 0.0, columns - 2.001)
    r, c = int(row), int(column)
    fr, fc = row - r, column - c
    w00, w01, w10, w11 = (1 - fr) * (1 - fc), (1 - fr) * fc, fr * (1 - fc), fr * fc
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
        if tints[k, 3] <= 0.0:
            continue
        m = w00 * cover[r, c, k] + w01 * cover[r, c + 1, k] + w10 * cover[r + 1, c, k] + w11 * cover[r + 1, c + 1, k]
        m = clamp(m * tints[k, 3], 0.0, 1.0)
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
    lit = 0.0
    if max(sharp, soft) > -0.30:  # else no light gets round, see `wrap`
        lit = lit_share(a[0] + 0.03 * a[3], a[1] + 0.03 * a[4], a[2] + 0.03 * a[5], plane, shadow, 0.025)
    vx, vy, vz = eye[0] - a[0], eye[1] - a[1], eye[2] - a[2]
    length = math.sqrt(vx * vx + vy * vy + vz * vz)
    vx, vy, vz = vx / length, vy / length, vz / length
    facing = clamp(nx * vx + ny * vy + nz * vz, 0.0, 1.0)
    occlusion = clamp(a[11] * (1.0 - 0.85 * inner), 0.0, 1.0)
    # Specular: two Blinn-Phong lobes under Schlick's Fresnel term, F0 of skin = 0.028.
    hx, hy, hz = light[0] + vx, light[1] + vy, light[2] + vz
    length = math.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9
    half = clamp((nx * hx + ny * hy + nz * hz) / length, 0.0, 1.0)
    vh = clamp((vx * hx + vy * hy + vz * hz) / length, 0.0, 1.0)
    fresnel = 0.028 + 0.972 * (1.0 - vh) ** 5
    shine = fresnel * gloss * (1.0 - hairy) * (1.6 * half**14 + 2.6 * half**52) * clamp(sharp, 0.0, 1.0) * lit
    rim = (0.02 + 0.25 * (1.0 - facing) ** 5) * occlusion * (1.0 - hairy) * min(gloss, 1.0)
    for ch in range(3):
        # Light wanders under the skin, red furthest: it sees smoother normals, wraps round, and softens shadows.
        depth = 0.62 if ch == 0 else (0.38 if ch == 1 else 0.25)
        wrap = 0.30 if ch == 0 else (0.15 if ch == 1 else 0.08)
        wrap *= 1.0 - 0.7 * hairy
        cosine = sharp + depth * (soft - sharp)
        direct = clamp((cosine + wrap) / (1.0 + wrap), 0.0, 1.0)
        direct *= (1.0 - wrap + wrap * direct) * (
            0.55 + 0.45 * occlusion
        )  # about direct ** (1 + wrap), without the power
        spread = 0.40 if ch == 0 else (0.15 if ch == 1 else 0.0)
        through = 0.10 + 0.90 * lit * (1.0 + spread * (1.0 - lit))  # a tenth comes back from all around
        px = nx + depth * (a[6] - nx)
        py = ny + depth * (a[7] - ny)
        pz = nz + depth * (a[8] - nz)
        sky = max(
            ambient[0, ch] + ambient[1, ch] * px + ambient[2, ch] * py + ambient[3, ch] * pz, 0.02 * ambient[0, ch]
        )
        # Light bounces out of bright hollows, not of dark ones.
        hollow = occlusion * (1.0 + (0.75 * base[ch] - 0.35) * (1.0 - occlusion))
        out[ch] = base[ch] * (key[ch] * direct * through + sky * hollow) * (1.0 - 0.8 * inner)
        out[ch] += key[ch] * shine + rim * sky
