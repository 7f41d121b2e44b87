"""Everything that one picture shows, as one list of triangles."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import UsageError
from facedistill.synth.assets import PART_NUMBERS, Assets
from facedistill.synth.baking import blank_buffers
from facedistill.synth.conditions import Conditions
from facedistill.synth.covers import FACIAL_HAIR, Covers
from facedistill.synth.extras import fingers, peak
from facedistill.synth.hair import MAP_COLUMNS, MAP_ROWS, HairDresser, HairMesh
from facedistill.synth.hairstyles import HAIR_STYLES
from facedistill.synth.layout import sheet_place
from facedistill.synth.lenses import Lenses
from facedistill.synth.noise import streaks
from facedistill.synth.person import Person
from facedistill.synth.raster import rasterise, smooth_over_mesh, vertex_normals
from facedistill.synth.regions import LID_SPLIT
from facedistill.synth.shade import (
    ATTRIBUTES,
    CLOTH,
    EXTRA,
    EYE,
    FRAME,
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
from facedistill.synth.texture import Painter, hair_colour
from facedistill.synth.wearing import FRAMES, Surface, Wardrobe, spectacles

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

_KIND_OF_PART = np.array([SKIN, EYE, TEETH, TONGUE, LASH], np.int32)
_LASH_LEVEL = 0.5
_RAMP_ROWS, _LASH_ROWS = 48, 16


@dataclass(frozen=True, eq=False)
class Scene:
    """Vertices, triangles and looks, as `raster.rasterise` and `shade.shade` want them."""

    points: Floats
    triangles: Ints
    kinds: Ints
    levels: Floats
    places: Floats
    heights: Floats
    attributes: Floats
    shadowing: int  # so many of the first triangles throw shadows
    culled: int  # so many of the first triangles are closed surfaces, whose backs are never seen
    sheet: Floats
    cover: Floats
    look: Floats
    tints: Floats
    strands: Floats
    hair: Floats
    plain: Floats
    lenses: Lenses | None

    def draw(self, screen: Floats, side: int) -> tuple[Floats, Ints, Floats]:
        """Nearness, owner and weight buffers of a picture with `side` rows and columns."""
        buffers = blank_buffers(side, side)
        for start, stop, cull in ((0, self.culled, True), (self.culled, len(self.triangles), False)):
            part = slice(start, stop)
            rasterise(screen, self.triangles[part], start, cull, self.places, self.heights, self.levels[part], *buffers)
        return buffers


class Dresser:
    """Puts skin, hair and clothes on a head."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets
        self._painter = Painter(assets)
        self._covers = Covers(self._painter.regions)
        self._hair = HairDresser(assets)
        self._wardrobe = Wardrobe(assets)
        self._painted: tuple[Person, Floats] | None = None
        part = assets.parts[assets.triangles[:, 0]]
        lash = part == PART_NUMBERS["lash"]
        upper = lash & (assets.points[assets.triangles, 1].mean(axis=1) > LID_SPLIT)
        self._solid = np.ascontiguousarray(assets.triangles[~lash])
        self._lash_vertices, renumbered = np.unique(assets.triangles[upper], return_inverse=True)
        self._lash_triangles = renumbered.reshape(-1, 3).astype(np.int32)
        ramp = np.repeat(np.linspace(0, 1, _RAMP_ROWS)[:, None], MAP_COLUMNS, axis=1)
        comb = streaks(np.random.default_rng(24), _LASH_ROWS, MAP_COLUMNS, length=_LASH_ROWS, width=1.5)
        fading = np.linspace(-0.2, 0.75, _LASH_ROWS)[:, None]
        self._patterns = np.concatenate([ramp, 0.25 + 0.75 * comb - fading]).astype(
            np.float32
        )  # for cloth and lashes, below the hair's map
        self._no_hair = np.zeros((MAP_ROWS, MAP_COLUMNS), np.float32)
        self._solid_kinds = _KIND_OF_PART[part[~lash]]
        self._skin_only = np.ascontiguousarray(assets.triangles[part == PART_NUMBERS["skin"]])
        self._occlusion = np.where(assets.parts == PART_NUMBERS["teeth"], 0.5, assets.occlusion**1.2).astype(np.float32)
        lips = np.flatnonzero((assets.lips > 0.4) & (assets.inner_mouth < 0.5))
        x = assets.points[:, 0]
        self._corners = np.array([lips[np.argmin(x[lips])], lips[np.argmax(x[lips])]])
        middle = (np.abs(x) < 0.03) & (assets.parts == PART_NUMBERS["skin"]) & (assets.points[:, 1] > 6.8)
        front = np.flatnonzero(middle & (assets.points[:, 1] < 7.2))
        self._nose_tip = int(front[np.argmax(assets.points[front, 2])])
        y = assets.points[:, 1]
        self._face = np.flatnonzero(
            (assets.parts == PART_NUMBERS["skin"]) & (y < 7.75) & (y > 6.15) & (assets.points[:, 2] > 0.35)
        )
        self._brows = np.flatnonzero(
            (assets.parts == PART_NUMBERS["skin"])
            & (y > 7.1)
            & (y < 7.6)
            & (np.abs(x) < 0.62)
            & (assets.points[:, 2] > 0.9)
        )

    def mouth_corners(self, points: Floats) -> Floats:
        """The subject's right and left corner of the mouth, float32 [2, 3]."""
        corners: Floats = points[self._corners]
        return corners

    def landmarks(self, posed: Floats, eyes: Floats) -> Floats:
        """The five landmarks in the head frame, float32 [5, 3]."""
        return np.concatenate([eyes, posed[self._nose_tip][None], self.mouth_corners(posed)])

    def face_outline(self, posed: Floats) -> Floats:
        """Points of the face from brow to chin, float32 [N, 3]."""
        return posed[self._face]

    def dress(self, person: Person, conditions: Conditions, posed: Floats, eyes: Floats) -> Scene:
        """Everything on a posed head.

        Raises:
            UsageError: A hairstyle, facial hair, glasses, headwear, clothing or occlusion that does not exist.
        """
        _check(conditions)
        assets, wear = self._assets, conditions.wear
        normals = vertex_normals(posed, self._solid)
        soft = smooth_over_mesh(normals, self._skin_only, 3)
        base = np.empty((len(posed), ATTRIBUTES), np.float32)
        base[:, POSITION : POSITION + 3] = posed
        base[:, NORMAL : NORMAL + 3] = normals
        base[:, SOFT : SOFT + 3] = soft
        base[:, PLACE : PLACE + 2] = assets.places
        base[:, OCCLUSION] = self._occlusion
        base[:, EXTRA] = np.where(assets.parts == PART_NUMBERS["skin"], assets.inner_mouth, 1.0)
        pieces: list[tuple[Floats, Ints, int, Floats]] = []  # attributes, triangles, kind, level of each triangle
        pieces.append(_plain_piece(*self._wardrobe.piece(wear.clothing, posed, normals, 0.045), CLOTH))
        pieces.append(self._lash_piece(posed, normals, person.lashes))
        if conditions.occlusion in ("mask", "scarf"):
            thick = 0.05 if conditions.occlusion == "mask" else 0.16
            pieces.append(_plain_piece(*self._wardrobe.piece(conditions.occlusion, posed, soft, thick), OTHER_CLOTH))
        if conditions.occlusion == "hand":
            across = fingers(eyes, float(posed[self._nose_tip, 2]), conditions.occlusion_seed)
            pieces.extend(_finger_piece(finger) for finger in across)
        style = HAIR_STYLES[conditions.hair.style]
        if wear.headwear is not None:
            points, faces, above = self._hair.hat(posed, 0.13 if wear.headwear == "beanie" else 0.09)
            hat = Surface(points, vertex_normals(points, faces), faces)
            pieces.append(_plain_piece(hat, above + (0.10 if wear.headwear == "beanie" else 0.0), HAT))
            if wear.headwear == "cap":
                pieces.append(_plain_piece(peak(eyes), None, HAT))
            style = replace(style, volume=min(style.volume, 0.05), quiff=0.0, fringe=min(style.fringe, 0.1))
        lenses = None
        if wear.glasses is not None:
            ears = self._wardrobe.ears(posed)
            frame, glass = spectacles(FRAMES[wear.glasses], eyes, float(posed[self._brows, 2].max()) - 0.16, ears)
            pieces.append(_plain_piece(frame, None, FRAME))
            lenses = Lenses(glass, 1 - wear.lens_tint)
        hair = self._hair.dress(person, style, posed, conditions.hair.seed)
        natural = hair_colour(conditions.hair.melanin, conditions.hair.red, 0.0)
        strands = hair.strands if hair is not None else self._no_hair
        heights = np.concatenate([hair.heights if hair is not None else self._no_hair, self._patterns])
        if hair is not None:
            pieces.append(_hair_piece(hair))
        attributes, triangles = [base], [self._solid]
        kinds, levels = [self._solid_kinds], [np.full(len(self._solid), -1, np.float32)]
        for some, faces, kind, level in pieces:
            triangles.append(faces + sum(map(len, attributes)))
            attributes.append(some)
            kinds.append(np.full(len(faces), kind, np.int32))
            levels.append(level)
        joined = np.concatenate(attributes)
        return Scene(
            points=np.ascontiguousarray(joined[:, POSITION : POSITION + 3]),
            triangles=np.concatenate(triangles).astype(np.int32),
            kinds=np.concatenate(kinds),
            levels=np.concatenate(levels),
            places=np.ascontiguousarray(joined[:, PLACE : PLACE + 2]),
            heights=heights,
            attributes=joined,
            shadowing=sum(map(len, kinds)) - (len(hair.triangles) - hair.shadowing if hair is not None else 0),
            culled=len(self._solid),
            sheet=self._skin(person),
            cover=self._covers.sheet(person, wear.facial_hair),
            look=np.array([0.55 + 0.6 * (conditions.hair.seed % 101) / 101, 0.5 + wear.lipstick], np.float32),
            tints=_tints(person, conditions, style.stubble),
            strands=strands,
            hair=np.array([*natural, conditions.hair.grey, 1.0 - 0.5 * style.curl, 0.29, 0.285, 0.275], np.float32),
            plain=_plain_colours(conditions),
            lenses=lenses,
        )

    def _lash_piece(self, posed: Floats, normals: Floats, length: float) -> tuple[Floats, Ints, int, Floats]:
        used = self._lash_vertices
        attributes = np.zeros((len(used), ATTRIBUTES), np.float32)
        attributes[:, POSITION : POSITION + 3] = posed[used]
        attributes[:, NORMAL : NORMAL + 3] = normals[used]
        tips = self._assets.lash_tips[used] * (1.5 - 0.8 * length)
        attributes[:, PLACE] = MAP_ROWS + _RAMP_ROWS + 1 + (_LASH_ROWS - 2) * np.clip(tips, 0, 1)
        attributes[:, PLACE + 1] = 640 + 420 * self._assets.points[used, 0]
        attributes[:, OCCLUSION] = 0.6
        attributes[:, EXTRA] = 1.0
        return attributes, self._lash_triangles, LASH, np.full(len(self._lash_triangles), _LASH_LEVEL, np.float32)

    def _skin(self, person: Person) -> Floats:
        if self._painted is None or self._painted[0] is not person:
            self._painted = person, self._painter.paint(person)
        return self._painted[1]


def _check(conditions: Conditions) -> None:
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


def _plain_piece(surface: Surface, inside: Floats | None, kind: int) -> tuple[Floats, Ints, int, Floats]:
    """A mesh of one colour; where `inside` is given it ends at a smooth line, whatever its triangles."""
    attributes = np.zeros((len(surface.points), ATTRIBUTES), np.float32)
    attributes[:, POSITION : POSITION + 3] = surface.points
    attributes[:, NORMAL : NORMAL + 3] = surface.normals
    attributes[:, OCCLUSION] = 0.85
    attributes[:, EXTRA] = 1.0
    level = -1.0
    if inside is not None:
        level = 0.5
        attributes[:, PLACE] = MAP_ROWS + (_RAMP_ROWS - 1) * np.clip(0.5 + inside / 0.5, 0, 1)
    return attributes, surface.triangles, kind, np.full(len(surface.triangles), level, np.float32)


def _finger_piece(surface: Surface) -> tuple[Floats, Ints, int, Floats]:
    """A finger has the skin of the forehead, where nothing is painted on."""
    attributes, triangles, _, levels = _plain_piece(surface, None, SKIN)
    attributes[:, SOFT : SOFT + 3] = surface.normals
    attributes[:, PLACE : PLACE + 2] = sheet_place(np.array([0.1, 7.65, 1.3], np.float32))
    attributes[:, EXTRA] = 0.0
    return attributes, triangles, SKIN, levels


def _hair_piece(hair: HairMesh) -> tuple[Floats, Ints, int, Floats]:
    attributes = np.zeros((len(hair.points), ATTRIBUTES), np.float32)
    attributes[:, POSITION : POSITION + 3] = hair.points
    attributes[:, NORMAL : NORMAL + 3] = hair.normals
    attributes[:, SOFT : SOFT + 3] = hair.tangents
    attributes[:, PLACE : PLACE + 2] = hair.places
    attributes[:, OCCLUSION] = hair.shade
    return attributes, hair.triangles, HAIR, hair.levels


def _tints(person: Person, conditions: Conditions, stubble: float) -> Floats:
    tints = np.zeros((COVERS, 4), np.float32)
    beard = hair_colour(min(person.hair_melanin * 0.95 + 0.05, 1), person.hair_red, min(1.1 * person.grey, 1))
    tints[BEARD] = *(beard * 0.9), 0.93
    tints[ROOTS] = *(hair_colour(conditions.hair.melanin, conditions.hair.red, conditions.hair.grey) * 0.75), stubble
    tints[LIPS] = *conditions.wear.lipstick_colour, 0.75 * conditions.wear.lipstick
    tints[LIDS] = *conditions.wear.shadow_colour, 0.6 * conditions.wear.eye_shadow
    tints[CHEEKS] = 0.55, 0.16, 0.14, 0.3 * conditions.wear.blush
    return tints


def _plain_colours(conditions: Conditions) -> Floats:
    plain = np.zeros((FRAME + 1, 4), np.float32)
    plain[TEETH] = 0.56, 0.52, 0.44, 0.12
    plain[TONGUE] = 0.30, 0.09, 0.08, 0.1
    plain[LASH] = 0.015, 0.011, 0.01, 0.0
    plain[CLOTH] = *conditions.wear.clothing_colour, 0.0
    plain[OTHER_CLOTH] = *conditions.occlusion_colour, 0.0
    plain[HAT] = *conditions.wear.headwear_colour, 0.0
    plain[FRAME] = *conditions.wear.glasses_colour, 0.5
    return plain
