"""Everything that one picture shows, as one list of triangles."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facedistill.synth.assets import PART_NUMBERS, Assets
from facedistill.synth.baking import NO_WEIGHTS
from facedistill.synth.cloth import Cloths
from facedistill.synth.conditions import Conditions
from facedistill.synth.covers import Covers
from facedistill.synth.extras import peak
from facedistill.synth.hair import MAP_COLUMNS, MAP_ROWS, HairDresser
from facedistill.synth.hairstyles import HAIR_STYLES
from facedistill.synth.hands import Hands
from facedistill.synth.lenses import Lenses
from facedistill.synth.mouth import Mouth
from facedistill.synth.noise import streaks
from facedistill.synth.person import Person
from facedistill.synth.pieces import (
    RAMP_ROWS,
    Piece,
    check,
    hair_piece,
    plain_colours,
    plain_piece,
    tints,
)
from facedistill.synth.raster import NOTHING, rasterise, smooth_over_mesh, vertex_normals
from facedistill.synth.regions import LID_SPLIT
from facedistill.synth.shade import (
    ATTRIBUTES,
    CLOTH,
    EXTRA,
    EYE,
    HAT,
    LASH,
    NORMAL,
    OCCLUSION,
    PLACE,
    POSITION,
    SKIN,
    SOFT,
)
from facedistill.synth.spectacles import FRAMES, put_on
from facedistill.synth.texture import Painter, hair_colour
from facedistill.synth.wearing import Surface, Wardrobe

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

_KIND_OF_PART = np.array([SKIN, EYE], np.int32)
_LASH_LEVEL = 0.5
_LASH_ROWS = 16


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
    hair_from: int  # the first triangle of the hair
    hair_is_closed: bool  # short hair is a closed surface too; the inside of long hair can be seen
    culled: int  # so many of the first triangles are closed surfaces, whose backs are never seen
    sheet: Floats
    cover: Floats
    look: Floats
    tints: Floats
    strands: Floats
    hair: Floats
    plain: Floats
    lenses: Lenses | None

    def draw(self, screen: Floats, side: int) -> tuple[Floats, Ints]:
        """Nearness and owner buffers of a picture with `side` rows and columns."""
        nearness, owner = np.zeros((side, side), np.float32), np.full((side, side), NOTHING, np.int32)
        ends = (0, self.culled, self.hair_from, len(self.triangles))
        for start, stop, cull in zip(ends, ends[1:], (True, False, self.hair_is_closed), strict=False):
            part = slice(start, stop)
            rasterise(
                screen, self.triangles[part], start, cull, self.places, self.heights, self.levels[part],
                nearness, owner, NO_WEIGHTS,
            )  # fmt: skip
        return nearness, owner


class Dresser:
    """Puts skin, hair and clothes on a head."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets
        self._painter = Painter(assets)
        self._covers = Covers(self._painter.regions)
        self._hair = HairDresser(assets)
        self._wardrobe = Wardrobe(assets)
        self._mouth, self._cloths, self._hands = Mouth(assets), Cloths(assets), Hands(assets)
        self._painted: tuple[Person, Floats] | None = None
        part = assets.parts[assets.triangles[:, 0]]
        lash = part == PART_NUMBERS["lash"]
        upper = lash & (assets.points[assets.triangles, 1].mean(axis=1) > LID_SPLIT)
        solid = (part == PART_NUMBERS["skin"]) | (part == PART_NUMBERS["eye"])
        self._solid = np.ascontiguousarray(assets.triangles[solid])
        self._lash_vertices, renumbered = np.unique(assets.triangles[upper], return_inverse=True)
        self._lash_triangles = renumbered.reshape(-1, 3).astype(np.int32)
        ramp = np.repeat(np.linspace(0, 1, RAMP_ROWS)[:, None], MAP_COLUMNS, axis=1)
        comb = streaks(np.random.default_rng(24), _LASH_ROWS, MAP_COLUMNS, length=_LASH_ROWS, width=1.5)
        fading = np.linspace(-0.2, 0.75, _LASH_ROWS)[:, None]
        self._patterns = np.concatenate([ramp, 0.25 + 0.75 * comb - fading]).astype(
            np.float32
        )  # for cloth and lashes, below the hair's map
        self._no_hair = np.zeros((MAP_ROWS, MAP_COLUMNS), np.float32)
        self._solid_kinds = _KIND_OF_PART[part[solid]]
        self._skin_only = np.ascontiguousarray(assets.triangles[part == PART_NUMBERS["skin"]])
        self._occlusion = np.where(assets.parts == PART_NUMBERS["teeth"], 0.5, assets.occlusion**1.9).astype(np.float32)
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
        check(conditions)
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
        pieces: list[Piece] = []
        pieces.append(plain_piece(*self._wardrobe.piece(wear.clothing, posed, normals, 0.045), CLOTH))
        pieces.append(self._lash_piece(posed, normals, person.lashes))
        pieces += self._mouth.pieces(posed)
        if conditions.occlusion == "mask":
            pieces += self._cloths.mask(posed, conditions.occlusion_seed)
        elif conditions.occlusion == "scarf":
            pieces += self._cloths.scarf(posed, conditions.occlusion_seed)
        elif conditions.occlusion == "hand":
            pieces += self._hands.pieces(posed, conditions.occlusion_seed)
        style = HAIR_STYLES[conditions.hair.style]
        if wear.headwear is not None:
            points, faces, above = self._hair.hat(posed, 0.13 if wear.headwear == "beanie" else 0.09)
            hat = Surface(points, vertex_normals(points, faces), faces)
            pieces.append(plain_piece(hat, above + (0.10 if wear.headwear == "beanie" else 0.0), HAT))
            if wear.headwear == "cap":
                pieces.append(plain_piece(peak(eyes), None, HAT))
            style = replace(style, volume=min(style.volume, 0.05), quiff=0.0, fringe=min(style.fringe, 0.1))
        lenses = None
        if wear.glasses is not None:
            ears = self._wardrobe.ears(posed)
            bridge = float(posed[self._brows, 2].max()) - 0.16
            lenses = Lenses(put_on(FRAMES[wear.glasses], eyes, bridge, ears), wear.glasses_colour, wear.lens_tint)
        hair = self._hair.dress(person, style, posed, conditions.hair.seed)
        natural = hair_colour(conditions.hair.melanin, conditions.hair.red, 0.0)
        strands = hair.strands if hair is not None else self._no_hair
        heights = np.concatenate([hair.heights if hair is not None else self._no_hair, self._patterns])
        if hair is not None:
            pieces.append(hair_piece(hair))
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
            hair_from=sum(map(len, kinds)) - (len(hair.triangles) if hair is not None else 0),
            hair_is_closed=style.length == 0,
            culled=len(self._solid),
            sheet=self._skin(person),
            cover=self._covers.sheet(person, wear.facial_hair),
            look=np.array([0.55 + 0.6 * (conditions.hair.seed % 101) / 101, 0.5 + wear.lipstick], np.float32),
            tints=tints(person, conditions, style.stubble),
            strands=strands,
            hair=np.array([*natural, conditions.hair.grey, 1.0 - 0.5 * style.curl, 0.29, 0.285, 0.275], np.float32),
            plain=plain_colours(conditions),
            lenses=lenses,
        )

    def _lash_piece(self, posed: Floats, normals: Floats, length: float) -> Piece:
        used = self._lash_vertices
        attributes = np.zeros((len(used), ATTRIBUTES), np.float32)
        attributes[:, POSITION : POSITION + 3] = posed[used]
        attributes[:, NORMAL : NORMAL + 3] = normals[used]
        tips = self._assets.lash_tips[used] * (1.5 - 0.8 * length)
        attributes[:, PLACE] = MAP_ROWS + RAMP_ROWS + 1 + (_LASH_ROWS - 2) * np.clip(tips, 0, 1)
        attributes[:, PLACE + 1] = 640 + 420 * self._assets.points[used, 0]
        attributes[:, OCCLUSION] = 0.6
        attributes[:, EXTRA] = 1.0
        return attributes, self._lash_triangles, LASH, np.full(len(self._lash_triangles), _LASH_LEVEL, np.float32)

    def _skin(self, person: Person) -> Floats:
        if self._painted is None or self._painted[0] is not person:
            self._painted = person, self._painter.paint(person)
        return self._painted[1]
