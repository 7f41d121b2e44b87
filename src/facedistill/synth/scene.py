"""Everything that one picture shows, as one list of triangles."""

from dataclasses import dataclass, replace

import numpy as np

from facedistill.synth.arrays import Floats, Ints
from facedistill.synth.assets import PART_NUMBERS, Assets
from facedistill.synth.baking import NO_WEIGHTS
from facedistill.synth.clothing import ClothingBuilder, Mesh
from facedistill.synth.conditions import Conditions
from facedistill.synth.extras import peak
from facedistill.synth.face_coverings import FaceCoverings
from facedistill.synth.hair import MAP_COLUMNS, MAP_ROWS, HairBuilder
from facedistill.synth.hairstyles import HAIR_STYLES
from facedistill.synth.hands import HandBuilder
from facedistill.synth.lenses import Lenses
from facedistill.synth.mouth import MouthInterior
from facedistill.synth.noise import streaks
from facedistill.synth.person import Person
from facedistill.synth.raster import NO_TRIANGLE, rasterise, smooth_over_mesh, vertex_normals
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
    POSITION,
    SKIN,
    SOFT,
    TEXCOORD,
)
from facedistill.synth.skin_overlays import SkinOverlayBuilder
from facedistill.synth.skin_texture import SkinTextureBuilder, hair_colour
from facedistill.synth.spectacles import FRAMES, fit_spectacles
from facedistill.synth.submeshes import (
    RAMP_ROWS,
    Submesh,
    check,
    hair_submesh,
    plain_colours,
    plain_submesh,
    tints,
)

_MATERIAL_OF_PART = np.array([SKIN, EYE], np.int32)
_LASH_CUTOFF = 0.5
_LASH_ROWS = 16


@dataclass(frozen=True, eq=False)
class Scene:
    """Vertices, triangles and looks, as `raster.rasterise` and `shade.shade` want them."""

    points: Floats
    triangles: Ints
    materials: Ints
    alpha_cutoffs: Floats
    texcoords: Floats
    alpha_map: Floats
    attributes: Floats
    shadowing: int  # so many of the first triangles throw shadows
    hair_from: int  # the first triangle of the hair
    hair_is_closed: bool  # short hair is a closed surface too; the inside of long hair can be seen
    culled: int  # so many of the first triangles are closed surfaces, whose backs are never seen
    skin_texture: Floats
    skin_overlay: Floats
    gloss: Floats
    tints: Floats
    strands: Floats
    hair: Floats
    plain: Floats
    lenses: Lenses | None

    def draw(self, screen: Floats, side: int) -> tuple[Floats, Ints]:
        """Nearness and triangle_ids buffers of a picture with `side` rows and columns."""
        inverse_depth, triangle_ids = np.zeros((side, side), np.float32), np.full((side, side), NO_TRIANGLE, np.int32)
        ends = (0, self.culled, self.hair_from, len(self.triangles))
        for start, stop, cull in zip(ends, ends[1:], (True, False, self.hair_is_closed), strict=False):
            part = slice(start, stop)
            rasterise(
                screen, self.triangles[part], start, cull, self.texcoords, self.alpha_map, self.alpha_cutoffs[part],
                inverse_depth, triangle_ids, NO_WEIGHTS,
            )  # fmt: skip
        return inverse_depth, triangle_ids


class SceneBuilder:
    """Puts skin, hair and clothes on a head."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets
        self._skin = SkinTextureBuilder(assets)
        self._overlays = SkinOverlayBuilder(self._skin.regions)
        self._hair = HairBuilder(assets)
        self._clothing = ClothingBuilder(assets)
        self._mouth, self._coverings, self._hands = MouthInterior(assets), FaceCoverings(assets), HandBuilder(assets)
        self._last: tuple[Person, Floats] | None = None
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
        self._solid_materials = _MATERIAL_OF_PART[part[solid]]
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

    def build(self, person: Person, conditions: Conditions, posed: Floats, eyes: Floats) -> Scene:
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
        base[:, TEXCOORD : TEXCOORD + 2] = assets.places
        base[:, OCCLUSION] = self._occlusion
        base[:, EXTRA] = np.where(assets.parts == PART_NUMBERS["skin"], assets.inner_mouth, 1.0)
        submeshes: list[Submesh] = []
        submeshes.append(plain_submesh(*self._clothing.mesh(wear.clothing, posed, normals, 0.045), CLOTH))
        submeshes.append(self._lash_submesh(posed, normals, person.lashes))
        submeshes += self._mouth.submeshes(posed)
        if conditions.occlusion == "mask":
            submeshes += self._coverings.mask(posed, conditions.occlusion_seed)
        elif conditions.occlusion == "scarf":
            submeshes += self._coverings.scarf(posed, conditions.occlusion_seed)
        elif conditions.occlusion == "hand":
            submeshes += self._hands.submeshes(posed, conditions.occlusion_seed)
        style = HAIR_STYLES[conditions.hair.style]
        if wear.headwear is not None:
            points, faces, above = self._hair.skull_cap(posed, 0.13 if wear.headwear == "beanie" else 0.09)
            hat = Mesh(points, vertex_normals(points, faces), faces)
            submeshes.append(plain_submesh(hat, above + (0.10 if wear.headwear == "beanie" else 0.0), HAT))
            if wear.headwear == "cap":
                submeshes.append(plain_submesh(peak(eyes), None, HAT))
            style = replace(style, volume=min(style.volume, 0.05), quiff=0.0, fringe=min(style.fringe, 0.1))
        lenses = None
        if wear.glasses is not None:
            ears = self._clothing.ears(posed)
            bridge = float(posed[self._brows, 2].max()) - 0.16
            lenses = Lenses(
                fit_spectacles(FRAMES[wear.glasses], eyes, bridge, ears), wear.glasses_colour, wear.lens_tint
            )
        hair = self._hair.build(person, style, posed, conditions.hair.seed)
        natural = hair_colour(conditions.hair.melanin, conditions.hair.red, 0.0)
        strands = hair.strands if hair is not None else self._no_hair
        alpha_map = np.concatenate([hair.alpha_map if hair is not None else self._no_hair, self._patterns])
        if hair is not None:
            submeshes.append(hair_submesh(hair))
        attributes, triangles = [base], [self._solid]
        materials, alpha_cutoffs = [self._solid_materials], [np.full(len(self._solid), -1, np.float32)]
        for some, faces, material, cutoff in submeshes:
            triangles.append(faces + sum(map(len, attributes)))
            attributes.append(some)
            materials.append(np.full(len(faces), material, np.int32))
            alpha_cutoffs.append(cutoff)
        joined = np.concatenate(attributes)
        return Scene(
            points=np.ascontiguousarray(joined[:, POSITION : POSITION + 3]),
            triangles=np.concatenate(triangles).astype(np.int32),
            materials=np.concatenate(materials),
            alpha_cutoffs=np.concatenate(alpha_cutoffs),
            texcoords=np.ascontiguousarray(joined[:, TEXCOORD : TEXCOORD + 2]),
            alpha_map=alpha_map,
            attributes=joined,
            shadowing=sum(map(len, materials)) - (len(hair.triangles) - hair.shadowing if hair is not None else 0),
            hair_from=sum(map(len, materials)) - (len(hair.triangles) if hair is not None else 0),
            hair_is_closed=style.length == 0,
            culled=len(self._solid),
            skin_texture=self._skin_texture(person),
            skin_overlay=self._overlays.build(person, wear.facial_hair),
            gloss=np.array([0.55 + 0.6 * (conditions.hair.seed % 101) / 101, 0.5 + wear.lipstick], np.float32),
            tints=tints(person, conditions, style.stubble),
            strands=strands,
            hair=np.array([*natural, conditions.hair.grey, 1.0 - 0.5 * style.curl, 0.29, 0.285, 0.275], np.float32),
            plain=plain_colours(conditions),
            lenses=lenses,
        )

    def _lash_submesh(self, posed: Floats, normals: Floats, length: float) -> Submesh:
        used = self._lash_vertices
        attributes = np.zeros((len(used), ATTRIBUTES), np.float32)
        attributes[:, POSITION : POSITION + 3] = posed[used]
        attributes[:, NORMAL : NORMAL + 3] = normals[used]
        tips = self._assets.lash_tips[used] * (1.5 - 0.8 * length)
        attributes[:, TEXCOORD] = MAP_ROWS + RAMP_ROWS + 1 + (_LASH_ROWS - 2) * np.clip(tips, 0, 1)
        attributes[:, TEXCOORD + 1] = 640 + 420 * self._assets.points[used, 0]
        attributes[:, OCCLUSION] = 0.6
        attributes[:, EXTRA] = 1.0
        return attributes, self._lash_triangles, LASH, np.full(len(self._lash_triangles), _LASH_CUTOFF, np.float32)

    def _skin_texture(self, person: Person) -> Floats:
        if self._last is None or self._last[0] is not person:
            self._last = person, self._skin.build(person)
        return self._last[1]
