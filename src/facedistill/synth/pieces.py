"""What each thing in a scene is made of: its vertices' attributes, its material, its colours."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import UsageError
from facedistill.synth.conditions import Conditions
from facedistill.synth.covers import FACIAL_HAIR
from facedistill.synth.hair import MAP_ROWS, HairMesh
from facedistill.synth.hairstyles import HAIR_STYLES
from facedistill.synth.layout import sheet_place
from facedistill.synth.person import Person
from facedistill.synth.shade import (
    ATTRIBUTES,
    CLOTH,
    EXTRA,
    HAIR,
    HAT,
    LASH,
    NORMAL,
    OCCLUSION,
    OTHER_CLOTH,
    PLACE,
    POSITION,
    SKIN,
    SOFT,
    TEETH,
    TONGUE,
)
from facedistill.synth.shade_skin import BEARD, CHEEKS, COVERS, LIDS, LIPS, ROOTS
from facedistill.synth.spectacles import FRAMES
from facedistill.synth.texture import hair_colour
from facedistill.synth.wearing import Surface

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

RAMP_ROWS = 48  # rows below the hair's map, from 0 to 1, by which cloth is cut along smooth lines
Piece = tuple[Floats, Ints, int, Floats]  # attributes [N, ATTRIBUTES], triangles [T, 3], kind, level of each triangle


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


def plain_piece(surface: Surface, inside: Floats | None, kind: int) -> Piece:
    """A mesh of one colour; where `inside` is given it ends at a smooth line, whatever its triangles."""
    attributes = np.zeros((len(surface.points), ATTRIBUTES), np.float32)
    attributes[:, POSITION : POSITION + 3] = surface.points
    attributes[:, NORMAL : NORMAL + 3] = surface.normals
    attributes[:, OCCLUSION] = 0.85
    attributes[:, EXTRA] = 1.0
    level = -1.0
    if inside is not None:
        level = 0.5
        attributes[:, PLACE] = MAP_ROWS + (RAMP_ROWS - 1) * np.clip(0.5 + inside / 0.5, 0, 1)
    return attributes, surface.triangles, kind, np.full(len(surface.triangles), level, np.float32)


def finger_piece(surface: Surface) -> Piece:
    """A finger has the skin of the forehead, where nothing is painted on."""
    attributes, triangles, _, levels = plain_piece(surface, None, SKIN)
    attributes[:, SOFT : SOFT + 3] = surface.normals
    attributes[:, PLACE : PLACE + 2] = sheet_place(np.array([0.1, 7.65, 1.3], np.float32))
    attributes[:, EXTRA] = 0.0
    return attributes, triangles, SKIN, levels


def hair_piece(hair: HairMesh) -> Piece:
    """Hair."""
    attributes = np.zeros((len(hair.points), ATTRIBUTES), np.float32)
    attributes[:, POSITION : POSITION + 3] = hair.points
    attributes[:, NORMAL : NORMAL + 3] = hair.normals
    attributes[:, SOFT : SOFT + 3] = hair.tangents
    attributes[:, PLACE : PLACE + 2] = hair.places
    attributes[:, OCCLUSION] = hair.shade
    return attributes, hair.triangles, HAIR, hair.levels


def tints(person: Person, conditions: Conditions, stubble: float) -> Floats:
    """Colour and amount of each cover of the skin, [COVERS, 4]."""
    tints = np.zeros((COVERS, 4), np.float32)
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
    plain[OTHER_CLOTH] = *conditions.occlusion_colour, 0.0
    plain[HAT] = *conditions.wear.headwear_colour, 0.0
    return plain
