"""Compositing over the background and tone mapping: linear RGB to sRGB bytes."""

import math

import numpy as np
from numpy.typing import NDArray

from facedistill.synth.arrays import Floats
from facedistill.synth.compiling import kernel

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)  # of linear RGB (ITU-R BT.709)
_MIDDLE, _CONTRAST, _PALER = 0.20, 1.355, 0.10
_BRIGHTEST = 4.0  # light beyond which the shoulder of the curve is white
# Powers and exponentials are tabulated over the fourth root of luminance, in which the power is nearly linear, and over
# light.
_ROOTS, _LIGHTS = 4096, 16384


def _contrast_table() -> Floats:
    """Factor on light by luminance, at the middles of even steps of the fourth root of luminance."""
    root = (np.arange(_ROOTS) + 0.5) / _ROOTS * math.sqrt(math.sqrt(_BRIGHTEST))
    return ((np.maximum(root**4, 1e-4) / _MIDDLE) ** (_CONTRAST - 1)).astype(np.float32)


def _tone_table() -> NDArray[np.uint8]:
    """A soft shoulder above .6, then sRGB's curve (IEC 61966-2-1), at even steps of light."""
    light = np.arange(_LIGHTS) / _LIGHTS * _BRIGHTEST
    light = np.where(light < 0.6, light, 0.6 + 0.4 * (1 - np.exp((0.6 - light) / 0.4)))
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(255 * srgb).astype(np.uint8)


_CONTRASTS, _TONES = _contrast_table(), _tone_table()


def tone_map(rgba: Floats, gains: Floats, background: Floats) -> NDArray[np.uint8]:
    """Composites a picture over a background and maps it to sRGB, uint8 [H, W, 3].

    The curve has a steeper contrast at medium luminance, a lower saturation, and a soft shoulder.

    Args:
        rgba: [H, W, 4] linear RGB times coverage, and coverage 0..1, from `shade.shade`.
        gains: [3] of exposure and white balance, applied to `rgba` only.
        background: [H, W, 3] linear RGB, exposed already.
    """
    return _tone_map(rgba, gains, background, LUMINANCE, _CONTRASTS, _TONES)


@kernel
def _tone_map(
    rgba: Floats, gains: Floats, background: Floats, luminance: Floats, contrasts: Floats, tones: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    rows, columns = rgba.shape[0], rgba.shape[1]
    picture = np.empty((rows, columns, 3), np.uint8)
    per_root = len(contrasts) / math.sqrt(math.sqrt(_BRIGHTEST))
    per_light = len(tones) / _BRIGHTEST
    for row in range(rows):
        for column in range(columns):
            open_ = 1.0 - rgba[row, column, 3]
            red = rgba[row, column, 0] * gains[0] + open_ * background[row, column, 0]
            green = rgba[row, column, 1] * gains[1] + open_ * background[row, column, 1]
            blue = rgba[row, column, 2] * gains[2] + open_ * background[row, column, 2]
            bright = max(luminance[0] * red + luminance[1] * green + luminance[2] * blue, 0.0)
            root = int(math.sqrt(math.sqrt(bright)) * per_root)
            gain = contrasts[min(root, len(contrasts) - 1)] * per_light
            grey, share = _PALER * gain * bright, (1.0 - _PALER) * gain
            picture[row, column, 0] = tones[min(max(int(grey + share * red), 0), len(tones) - 1)]
            picture[row, column, 1] = tones[min(max(int(grey + share * green), 0), len(tones) - 1)]
            picture[row, column, 2] = tones[min(max(int(grey + share * blue), 0), len(tones) - 1)]
    return picture
