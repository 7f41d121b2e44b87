"""The skin texture of a person: colour, relief and gloss on a cylindrical map round the head."""

import cv2
import numpy as np
from numpy.typing import NDArray

from facedistill.synth.arrays import Floats
from facedistill.synth.assets import Assets
from facedistill.synth.masks import bounding_window
from facedistill.synth.noise import cloud, streaks
from facedistill.synth.person import Person
from facedistill.synth.regions import Regions
from facedistill.synth.texture_layout import COLUMNS, ROWS, texture_coordinates
from facedistill.synth.tones import tone_masks

# Skin colours from light to dark, sRGB 0..255.
_RAMP = np.array(
    [  # red, green, blue
        [229, 222, 214, 204, 190, 172, 151, 128, 104, 86, 69],
        [192, 181, 170, 157, 141, 122, 103, 84, 67, 56, 46],
        [172, 159, 145, 129, 111, 92, 75, 60, 48, 42, 36],
    ],
    np.float64,
).T
_BLOOD = (0.05, -0.30, -0.26)  # change of the logarithm of linear RGB per unit of blood
_MELANIN = (0.75, 1.15, 1.45)  # decrease of the same per unit of melanin


def to_linear(srgb: NDArray[np.floating]) -> Floats:
    """Converts sRGB 0..1 to linear RGB 0..1 (IEC 61966-2-1), same shape."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)


def skin_colour(tone: float, undertone: float = 0.0) -> Floats:
    """Linear RGB [3] of a skin tone 0 (lightest) .. 1 (darkest); undertone -1 (rosy) .. 1 (yellow)."""
    linear = to_linear(_ramp_colour(_RAMP, tone) / 255)
    return linear * np.exp(np.array([0.0, 0.03, -0.16]) * undertone).astype(np.float32)


def _ramp_colour(ramp: NDArray[np.float64], position: float) -> NDArray[np.float64]:
    """The colour [3] at 0..1 of the way along a ramp of colours [N, 3]."""
    place = np.clip(position, 0, 1) * (len(ramp) - 1)
    return np.array([np.interp(place, np.arange(len(ramp)), ramp[:, channel]) for channel in range(3)])


class SkinTextureBuilder:
    """Builds skin textures; holds the noise and region masks that all people share.

    Attributes:
        regions: Masks of the parts of the face.
    """

    def __init__(self, assets: Assets) -> None:
        rng = np.random.default_rng(20)
        self.regions = regions = Regions(assets)
        self._blotches = [cloud(rng, ROWS, COLUMNS, 90, 5) for _ in range(3)]
        self._fine = [cloud(rng, ROWS, COLUMNS, 5, 3) for _ in range(3)]
        self._across = streaks(rng, COLUMNS, ROWS, 60, 3).T - 0.5  # lines that run sideways, for the forehead
        self._ruddy = 1.1 * regions.cheeks + 0.9 * regions.nose + regions.ears + 0.3 * regions.chin
        self._flushed = 0.35 * regions.inner_eye + 0.25 * regions.nostril_sides - 0.25 * regions.forehead
        self._freckled = np.clip(1.3 * regions.cheeks + regions.nose + 0.4 * regions.forehead, 0, 1)
        self._glossy = 0.62 + 0.45 * regions.greasy
        self._dry = 1 - 0.7 * regions.lips
        front = regions.z > 0.2
        self._front = bounding_window(front)
        self._tones = tone_masks(regions.x[self._front], regions.y[self._front], front[self._front])

    def build(self, person: Person) -> Floats:
        """The texture of a person: float32 [ROWS, COLUMNS, 5], linear RGB 0..1, relief (height per pixel), gloss."""
        rng = np.random.default_rng(person.skin_seed)
        regions = self.regions
        blotch, patch = (self._varied(rng, self._blotches) for _ in range(2))
        fine, pores = (self._varied(rng, self._fine) for _ in range(2))
        darkness = person.skin_tone

        blood = 0.10 * blotch + 0.05 * fine + self._flushed + person.ruddiness * self._ruddy
        melanin = 0.033 * patch + 0.03 * pores + (0.03 + 0.10 * darkness) * regions.around_eyes
        melanin += 0.10 * darkness * regions.around_mouth + (0.025 + 0.05 * darkness) * regions.forehead
        if person.age > 45:
            spots = np.clip(fine + 0.6 * patch - 2.1, 0, 1)
            melanin += 0.35 * (person.age - 45) / 35 * spots
        if person.freckles > 0:
            melanin += 0.9 * person.freckles * self._freckled * np.clip(pores + 0.4 * fine - 1.15, 0, 0.6)
        melanin += self._moles(rng, person.moles)
        melanin += (0.65 + 0.6 * person.lashes) * (1 - 0.4 * darkness) * regions.lid_line
        creases = self._creases(person, rng)
        melanin += 0.16 * creases
        blood += 0.35 * np.clip(creases, 0, 1)
        blood *= 1 - 0.55 * darkness  # melanin hides blood
        colour = np.log(np.clip(skin_colour(person.skin_tone, person.undertone), 1e-3, 1))
        layers = [colour[k] + _BLOOD[k] * blood - _MELANIN[k] * melanin for k in range(3)]
        lighter = sum(tone * mask for tone, mask in zip(person.tones, self._tones, strict=True))
        for layer in layers:
            layer[self._front] += lighter
        self._add_lips(person, layers, colour, fine)
        sheet = np.empty((ROWS, COLUMNS, 5), np.float32)
        for channel, layer in enumerate(layers):
            np.clip(cv2.exp(layer), 0.004, 0.92, out=sheet[..., channel])
        self._add_brows(person, rng, sheet)
        rough = 0.035 + 0.05 * person.wrinkles
        sheet[..., 3] = rough * (0.6 * pores + 0.4 * fine) * self._dry - 0.55 * creases
        np.clip(self._glossy + 0.12 * pores, 0.1, 1.4, out=sheet[..., 4])
        return sheet

    def _varied(self, rng: np.random.Generator, bank: list[Floats]) -> Floats:
        """One of a bank's noises [ROWS, COLUMNS], shifted and mirrored at random."""
        noise = bank[int(rng.integers(len(bank)))]
        shift = (int(rng.integers(ROWS)), int(rng.integers(COLUMNS)))
        noise = np.roll(noise, shift, axis=(0, 1))
        return noise[:, ::-1] if rng.random() < 0.5 else noise

    def _moles(self, rng: np.random.Generator, count: int) -> Floats:
        marks = np.zeros((ROWS, COLUMNS), np.float32)
        for _ in range(count):
            point = np.array([rng.uniform(-0.62, 0.62), rng.uniform(6.25, 7.95), 1.0], np.float32)
            row, column = texture_coordinates(point)
            radius = rng.uniform(0.7, 1.8)
            centre = (round(float(column) * 16), round(float(row) * 16))
            cv2.circle(marks, centre, round(radius * 16), float(rng.uniform(0.4, 1.2)), -1, cv2.LINE_AA, 4)
        return cv2.GaussianBlur(marks, (0, 0), 0.6).astype(np.float32)

    def _creases(self, person: Person, rng: np.random.Generator) -> Floats:
        """Wrinkles, from 0 to a little over 1: forehead, frown, crow's feet, under the eyes, beside the mouth."""
        regions = self.regions
        amount = person.wrinkles
        lines = np.clip(1.6 * np.abs(self._varied(rng, [self._across])) - 0.25, 0, 1)
        share = rng.uniform(0.4, 1.0, 5)
        total = amount * share[0] * 0.7 * regions.forehead * lines
        total += amount * share[1] * regions.frown_lines
        total += amount * share[2] * regions.crows_feet
        total += (0.12 + 0.75 * amount) * share[3] * regions.eye_bags
        total += (0.14 + 1.1 * amount) * share[4] * regions.laugh_lines
        return np.asarray(total, np.float32)

    def _add_lips(self, person: Person, layers: list[Floats], colour: Floats, fine: Floats) -> None:
        window = self._front
        lips = self.regions.lips[window]
        strength = np.array([0.02, -0.52, -0.42]) * person.lip_red * (1 - 0.45 * person.skin_tone)
        target = colour + strength - np.array([0.17, 0.29, 0.27]) * (0.33 + person.lip_dark)
        for layer, wanted in zip(layers, target.tolist(), strict=True):
            layer[window] += lips * (wanted - layer[window] + 0.03 * fine[window])

    def _add_brows(self, person: Person, rng: np.random.Generator, sheet: Floats) -> None:
        window, hairs = self.regions.brow_hairs(person, rng)
        skin = sheet[window][..., :3]
        melanin = min(person.hair_melanin * 0.85 + 0.15, 1.0)
        colour = np.minimum(hair_colour(melanin, person.hair_red * 0.6, 0.3 * person.grey) * 0.55, skin * 0.36)
        skin += hairs[..., None] * (colour - skin)


def hair_colour(melanin: float, red: float, grey: float) -> Floats:
    """Linear RGB [3] of hair; melanin 0 (fair) .. 1 (black), red 0..1, grey 0..1."""
    ramp = np.array(
        [[0.56, 0.42, 0.25], [0.38, 0.24, 0.115], [0.19, 0.105, 0.048], [0.075, 0.042, 0.022], [0.016, 0.011, 0.009]]
    )
    colour = _ramp_colour(ramp, melanin)
    colour *= np.exp(np.array([0.35, -0.22, -0.62]) * red)
    white = np.array([0.36, 0.355, 0.34])
    return (colour + grey * (white - colour)).astype(np.float32)
