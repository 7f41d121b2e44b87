"""Shader of the eyes: iris, cornea, highlights, occlusion by the lids. Compiled by numba."""

import math

from facedistill.synth.arrays import Floats
from facedistill.synth.compiling import kernel
from facedistill.synth.shading import clamp, light_visibility, step_between, unit


@kernel
def shade_eye(
    a: Floats, eye: Floats, ambient: Floats, light: Floats, key: Floats, projection: Floats, shadow: Floats,
    eyes: Floats, out: Floats,
) -> None:  # fmt: skip
    """Shades a sample of an eye with attributes `a`: writes linear RGB to `out`; the rest as in `shade.shade`."""
    e = eyes[0 if a[0] < 0.0 else 1]
    px, py, pz = a[0] - e[0], a[1] - e[1], a[2] - e[2]
    radius = e[3]
    nx, ny, nz = unit(px, py, pz, 1e-9)
    # Angle from the gaze, as a fraction of the iris' radius (tan of the angle: the iris is a flat disc).
    toward = nx * e[4] + ny * e[5] + nz * e[6]
    off = math.sqrt(max(1.0 - toward * toward, 0.0)) / e[7] if toward > 0.0 else 9.0
    dx, dy = nx - toward * e[4], ny - toward * e[5]
    angle = math.atan2(dy, dx)
    fibre = 0.5 + 0.28 * math.sin(angle * 23.0 + e[13]) * math.sin(angle * 7.0 + 2.0 * e[13])
    fibre += 0.12 * math.sin(angle * 51.0 + 7.0 * off)
    iris = step_between(1.06, 0.94, off)
    pupil = step_between(e[8] + 0.06, e[8] - 0.06, off)
    limbus = 1.0 - 0.72 * step_between(0.72, 1.0, off)
    # Sclera: redder and darker towards the corners.
    corner = clamp(abs(px) / radius, 0.0, 1.0)
    red = e[14] * (0.25 + 0.75 * corner * corner)
    # Occlusion: the upper lid and its lashes darken the ball below them.
    above = (e[9] - py) / radius
    below = (py - e[10]) / radius
    shade = (0.38 + 0.62 * step_between(-0.05, 0.45, above)) * (0.72 + 0.28 * step_between(-0.05, 0.25, below))
    shade *= 1.0 - 0.45 * step_between(0.55, 1.0, corner)
    lit = light_visibility(a[0] + 0.05 * nx, a[1] + 0.05 * ny, a[2] + 0.05 * nz, projection, shadow, 0.03)
    diffuse = clamp((nx * light[0] + ny * light[1] + nz * light[2] + 0.25) / 1.25, 0.0, 1.0) * (0.25 + 0.75 * lit)
    vx, vy, vz = unit(eye[0] - a[0], eye[1] - a[1], eye[2] - a[2], 0.0)
    # The cornea bulges: its normal leans further out than the ball's.
    bulge = 0.35 * step_between(1.25, 0.9, off)
    cx, cy, cz = unit(nx + bulge * (nx - e[4]), ny + bulge * (ny - e[5]), nz + bulge * (nz - e[6]), 0.0)
    hx, hy, hz = light[0] + vx, light[1] + vy, light[2] + vz
    length = math.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9
    half = clamp((cx * hx + cy * hy + cz * hz) / length, 0.0, 1.0)
    spark = (half**420) * 5.0 * lit + half**60 * 0.10 * lit
    # A second, weaker highlight: reflection of the sky or of a window.
    facing = cx * vx + cy * vy + cz * vz
    ry, rx = 2.0 * facing * cy - vy, 2.0 * facing * cx - vx
    window = step_between(0.30, 0.42, ry) * step_between(0.80, 0.68, ry)
    window *= step_between(0.40, 0.30, abs(rx - e[15])) * iris
    wet = 0.5 * step_between(0.10, 0.02, below) * step_between(-0.06, 0.0, below)
    for ch in range(3):
        white = (0.50 if ch == 0 else (0.46 if ch == 1 else 0.43)) * e[16]
        if ch > 0:
            white *= 1.0 - 0.38 * red
        colour = e[17 + ch] * (0.55 + 0.9 * fibre) * limbus * (1.0 + 0.5 * step_between(0.9, 0.3, off) * 0.5)
        colour = white + iris * (colour - white)
        colour *= 1.0 - 0.97 * pupil
        sky = max(ambient[0, ch] + ambient[1, ch] * nx + ambient[2, ch] * ny + ambient[3, ch] * nz, 0.0)
        over = max(ambient[0, ch] + ambient[2, ch], 0.0)
        out[ch] = colour * (key[ch] * diffuse + sky) * shade + key[ch] * spark * shade
        out[ch] += over * (0.38 * window + 0.015 + 0.20 * wet) * shade
