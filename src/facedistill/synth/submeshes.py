"""What each thing in a scene is made of: its vertices' attributes, its material, its colours."""

from collections.abc import Collection

import numpy as np

from facedistill.errors import UsageError
from facedistill.synth.arrays import Floats, Ints
from facedistill.synth.clothing import Mesh
from facedistill.synth.conditions import Conditions
from facedistill.synth.hair import MAP_ROWS, HairMesh
from facedistill.synth.hairstyles import HAIR_STYLES
from facedistill.synth.person import Person
from facedistill.synth.shade import (
    ATTRIBUTES,
    CLOTH,
    COVERING,
    EXTRA,
    HAIR,
    HAT,
    LASH,
    NORMAL,
    OCCLUSION,
    POSITION,
    SKIN,
    SOFT,
    TEETH,
    TEXCOORD,
    TONGUE,
)
from facedistill.synth.shade_skin import BEARD, CHEEKS, LIDS, LIPS, OVERLAYS, ROOTS
from facedistill.synth.skin_overlays import FACIAL_HAIR
from facedistill.synth.skin_texture import hair_colour
from facedistill.synth.spectacles import FRAMES
from facedistill.synth.texture_layout import texture_coordinates

RAMP_ROWS = 48  # rows below the hair's map, from 0 to 1, by which cloth is cut along smooth lines
Submesh = tuple[
    Floats, Ints, int, Floats
]  # attributes [N, ATTRIBUTES], triangles [T, 3], material, cutoff of each triangle


def check(conditions: Conditions) -> None:
    """Refuses what does not exist.

    Raises:
        UsageError: A hairstyle, facial hair, glasses, headwear, clothing or occlusion that does not exist.
    """
    wear = conditions.wear
    choices: list[tuple[str, str | None, Collection[str | None]]] = [
        ("hairstyle", conditions.hair.style, HAIR_STYLES),
        ("facial hair", wear.facial_hair, FACIAL_HAIR),
        ("frame of glasses", wear.glasses, (None, *FRAMES)),
        ("clothing", wear.clothing, ("shirt", "collar", "turtleneck")),
        ("headwear", wear.headwear, (None, "cap", "beanie")),
        ("occlusion", conditions.occlusion, ("none", "mask", "scarf", "hand")),
    ]
    for name, given, allowed in choices:
        if given not in allowed:
            raise UsageError(f"there is no {name} {given!r}; choose from {', '.join(map(str, allowed))}")


def plain_submesh(surface: Mesh, inside: Floats | None, material: int) -> Submesh:
    """A mesh of one colour; where `inside` is given it ends at a smooth line, whatever its triangles."""
    attributes = np.zeros((len(surface.points), ATTRIBUTES), np.float32)
    attributes[:, POSITION : POSITION + 3] = surface.points
    attributes[:, NORMAL : NORMAL + 3] = surface.normals
    attributes[:, OCCLUSION] = 0.85
    attributes[:, EXTRA] = 1.0
    cutoff = -1.0
    if inside is not None:
        cutoff = 0.5
        attributes[:, TEXCOORD] = MAP_ROWS + (RAMP_ROWS - 1) * np.clip(0.5 + inside / 0.5, 0, 1)
    return attributes, surface.triangles, material, np.full(len(surface.triangles), cutoff, np.float32)


def skin_submesh(surface: Mesh) -> Submesh:
    """A finger has the skin of the forehead, where nothing is painted on."""
    attributes, triangles, _, alpha_cutoffs = plain_submesh(surface, None, SKIN)
    attributes[:, SOFT : SOFT + 3] = surface.normals
    attributes[:, TEXCOORD : TEXCOORD + 2] = texture_coordinates(np.array([0.1, 7.65, 1.3], np.float32))
    attributes[:, EXTRA] = 0.0
    return attributes, triangles, SKIN, alpha_cutoffs


def hair_submesh(hair: HairMesh) -> Submesh:
    """Hair."""
    attributes = np.zeros((len(hair.points), ATTRIBUTES), np.float32)
    attributes[:, POSITION : POSITION + 3] = hair.points
    attributes[:, NORMAL : NORMAL + 3] = hair.normals
    attributes[:, SOFT : SOFT + 3] = hair.tangents
    attributes[:, TEXCOORD : TEXCOORD + 2] = hair.texcoords
    attributes[:, OCCLUSION] = hair.shade
    return attributes, hair.triangles, HAIR, hair.alpha_cutoffs


def tints(person: Person, conditions: Conditions, stubble: float) -> Floats:
    """Colour and amount of each cover of the skin, [OVERLAYS, 4]."""
    tints = np.zeros((OVERLAYS, 4), np.float32)
    # Salt and pepper: even an old man's beard keeps dark hairs, and short hairs show their shadow more than their grey.
    short = FACIAL_HAIR[conditions.wear.facial_hair][-1] < 0.6
    grey = (0.35 if short else 0.72) * person.grey
    beard = hair_colour(min(person.hair_melanin * 0.95 + 0.05, 1), person.hair_red, grey)
    tints[BEARD] = *(beard * (0.88, 0.83, 0.77)), 1.0
    tints[ROOTS] = *(hair_colour(conditions.hair.melanin, conditions.hair.red, conditions.hair.grey) * 0.75), stubble
    tints[LIPS] = *conditions.wear.lipstick_colour, 0.75 * conditions.wear.lipstick
    tints[LIDS] = *conditions.wear.shadow_colour, 0.6 * conditions.wear.eye_shadow
    tints[CHEEKS] = 0.55, 0.16, 0.14, 0.3 * conditions.wear.blush
    return tints


def plain_colours(conditions: Conditions) -> Floats:
    """Colour and highlight of each plain material, [kinds, 4]."""
    plain = np.zeros((HAT + 1, 4), np.float32)
    plain[TEETH] = 0.49, 0.45, 0.37, 0.05
    plain[TONGUE] = 0.26, 0.075, 0.065, 0.03
    plain[LASH] = 0.035, 0.026, 0.022, 0.0
    plain[CLOTH] = *conditions.wear.clothing_colour, 0.0
    plain[COVERING] = *conditions.occlusion_colour, 0.0
    plain[HAT] = *conditions.wear.headwear_colour, 0.0
    return plain
