"""The scene of one picture: all submeshes as one list of triangles, with their textures and materials."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from facedistill.errors import UsageError
from facedistill.synth.arrays import Floats, Ints
from facedistill.synth.assets import Assets
from facedistill.synth.baking import NO_WEIGHTS
from facedistill.synth.clothing import ClothingBuilder, cap_peak
from facedistill.synth.conditions import CLOTHING, HEADWEAR_KINDS, OCCLUSIONS, Conditions
from facedistill.synth.face_coverings import FaceCoverings
from facedistill.synth.hair import HairBuilder
from facedistill.synth.hairgrid import MAP_COLUMNS, MAP_ROWS
from facedistill.synth.hairstyles import HAIR_STYLES
from facedistill.synth.hands import HandBuilder
from facedistill.synth.lenses import Lenses
from facedistill.synth.light import SHADOW_SIDE
from facedistill.synth.mouth import MouthInterior
from facedistill.synth.noise import streaks
from facedistill.synth.person import Person
from facedistill.synth.raster import NO_TRIANGLE, rasterise, smooth_over_mesh, vertex_normals
from facedistill.synth.regions import LID_SPLIT
from facedistill.synth.shade import CLOTH, EYE, HAT, LASH, POSITION, SKIN, TEXCOORD
from facedistill.synth.skin_overlays import FACIAL_HAIR, SkinOverlayBuilder
from facedistill.synth.skin_texture import SkinTextureBuilder, hair_colour
from facedistill.synth.spectacles import FRAMES, fit_spectacles
from facedistill.synth.submeshes import (
    RAMP_ROWS,
    Submesh,
    hair_submesh,
    plain_colours,
    plain_submesh,
    tints,
    vertex_attributes,
)

_LASH_CUTOFF = 0.5
_LASH_ROWS = 16


@dataclass(frozen=True, eq=False)
class Scene:
    """The scene, as `raster.rasterise` and `shade.shade` take it. N vertices, T triangles.

    The triangles are in this order: closed surfaces (skin and eyes), open surfaces, hair.

    Attributes:
        points: float32 [N, 3], head frame, decimetres.
        triangles: int32 [T, 3].
        materials: int32 [T].
        alpha_cutoffs: float32 [T].
        texcoords: float32 [N, 2].
        alpha_map: float32 [R, C], of hair, garments and lashes from top to bottom.
        attributes: float32 [N, ATTRIBUTES].
        shadowing: Number of the first triangles that cast shadows.
        hair_from: Number of the first triangle of the hair.
        hair_is_closed: Whether the hair is a closed surface; of long hair the inside can be seen.
        culled: Number of the first triangles whose backs need not be drawn.
        skin_texture, skin_overlay, gloss, tints, strands, hair, plain: As in `shade.shade`.
        lenses: Spectacles, or None.
    """

    points: Floats
    triangles: Ints
    materials: Ints
    alpha_cutoffs: Floats
    texcoords: Floats
    alpha_map: Floats
    attributes: Floats
    shadowing: int
    hair_from: int
    hair_is_closed: bool
    culled: int
    skin_texture: Floats
    skin_overlay: Floats
    gloss: Floats
    tints: Floats
    strands: Floats
    hair: Floats
    plain: Floats
    lenses: Lenses | None

    def draw(self, screen: Floats, side: int) -> tuple[Floats, Ints]:
        """Rasterises projected vertices [N, 3]: inverse depth and triangle ids, [side, side] each."""
        return self._rasterise(screen, side, len(self.triangles), self.hair_is_closed)

    def shadow_map(self, projection: Floats) -> Floats:
        """The distance of the first surface along each ray of the key light, float32 [SHADOW_SIDE, SHADOW_SIDE].

        Args:
            projection: float32 [3, 4], from `light.shadow_projection`.
        """
        screen = (self.points @ projection[:, :3].T + projection[:, 3]).astype(np.float32)
        inverse_depth, _ = self._rasterise(screen, SHADOW_SIDE, self.shadowing, True)
        return np.reciprocal(np.maximum(inverse_depth, np.float32(1e-6)))

    def _rasterise(self, screen: Floats, side: int, count: int, cull_hair: bool) -> tuple[Floats, Ints]:
        """Rasterises the first `count` triangles; backs of closed surfaces are left out."""
        inverse_depth, triangle_ids = np.zeros((side, side), np.float32), np.full((side, side), NO_TRIANGLE, np.int32)
        ends = (0, self.culled, self.hair_from, count)
        for start, stop, cull in zip(ends, ends[1:], (True, False, cull_hair), strict=False):
            part = slice(start, stop)
            rasterise(
                screen, self.triangles[part], start, cull, self.texcoords, self.alpha_map, self.alpha_cutoffs[part],
                inverse_depth, triangle_ids, NO_WEIGHTS,
            )  # fmt: skip
        return inverse_depth, triangle_ids


class SceneBuilder:
    """Builds scenes; remembers the skin texture of the last person."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets
        self._skin = SkinTextureBuilder(assets)
        self._overlays = SkinOverlayBuilder(self._skin.regions)
        self._hair = HairBuilder(assets)
        self._clothing = ClothingBuilder(assets)
        self._mouth, self._coverings, self._hands = MouthInterior(assets), FaceCoverings(assets), HandBuilder(assets)
        self._skin_texture = lru_cache(maxsize=1)(self._skin.build)
        skin, eye, lash = (assets.vertices_of(part) for part in ("skin", "eye", "lash"))
        first = assets.triangles[:, 0]
        upper = lash[first] & (assets.points[assets.triangles, 1].mean(axis=1) > LID_SPLIT)
        closed = (skin | eye)[first]
        self._closed = np.ascontiguousarray(assets.triangles[closed])
        self._closed_materials = np.where(skin[first[closed]], SKIN, EYE).astype(np.int32)
        self._lash_vertices, renumbered = np.unique(assets.triangles[upper], return_inverse=True)
        self._lash_triangles = renumbered.reshape(-1, 3).astype(np.int32)
        ramp = np.repeat(np.linspace(0, 1, RAMP_ROWS)[:, None], MAP_COLUMNS, axis=1)
        lashes = streaks(np.random.default_rng(24), _LASH_ROWS, MAP_COLUMNS, length=_LASH_ROWS, width=1.5)
        fading = np.linspace(-0.2, 0.75, _LASH_ROWS)[:, None]
        # The rows of the alpha map below those of the hair: for garments and lashes.
        self._patterns = np.concatenate([ramp, 0.25 + 0.75 * lashes - fading]).astype(np.float32)
        self._no_hair = np.zeros((MAP_ROWS, MAP_COLUMNS), np.float32)
        self._skin_triangles = np.ascontiguousarray(assets.triangles_of("skin"))
        self._occlusion = np.where(assets.vertices_of("teeth"), 0.5, assets.occlusion**1.9).astype(np.float32)
        self._inner_mouth = np.where(skin, assets.inner_mouth, 1.0).astype(np.float32)
        x, y, z = assets.points.T
        lips = np.flatnonzero((assets.lips > 0.4) & (assets.inner_mouth < 0.5))
        self._corners = np.array([lips[np.argmin(x[lips])], lips[np.argmax(x[lips])]])
        middle = np.flatnonzero(skin & (np.abs(x) < 0.03) & (y > 6.8) & (y < 7.2))
        self._nose_tip = int(middle[np.argmax(z[middle])])
        self._brows = np.flatnonzero(skin & (y > 7.1) & (y < 7.6) & (np.abs(x) < 0.62) & (z > 0.9))

    def mouth_corners(self, points: Floats) -> Floats:
        """The subject's right and left corner of the mouth, float32 [2, 3]."""
        return np.asarray(points[self._corners], np.float32)

    def landmarks(self, posed: Floats, eyes: Floats) -> Floats:
        """The five landmarks of a posed head [V, 3] with eye centres [2, 3], head frame, float32 [5, 3]."""
        return np.concatenate([eyes, posed[self._nose_tip][None], self.mouth_corners(posed)])

    def build(self, person: Person, conditions: Conditions, posed: Floats, eyes: Floats) -> Scene:
        """The scene of a posed head.

        Args:
            person: Person whose skin and hair are built.
            conditions: Hair, clothes and occlusion of the picture.
            posed: [V, 3] the posed head.
            eyes: [2, 3] centres of the visible eyes, the subject's right eye first.

        Raises:
            UsageError: A hairstyle, facial hair, glasses, headwear, clothing or occlusion that does not exist.
        """
        _check(conditions)
        wear, style = conditions.wear, HAIR_STYLES[conditions.hair.style]
        if wear.headwear is not None:
            style = replace(style, volume=min(style.volume, 0.05), quiff=0.0, fringe=min(style.fringe, 0.1))
        normals = vertex_normals(posed, self._closed)
        soft = smooth_over_mesh(normals, self._skin_triangles, 3)
        attributes = [vertex_attributes(posed, normals, self._occlusion, self._inner_mouth, soft, self._assets.places)]
        triangles, materials = [self._closed], [self._closed_materials]
        alpha_cutoffs = [np.full(len(self._closed), -1, np.float32)]
        submeshes = [
            plain_submesh(*self._clothing.mesh(wear.clothing, posed, normals, 0.045), CLOTH),
            self._lash_submesh(posed, normals, person.lashes),
            *self._mouth.submeshes(posed),
            *self._occluding(conditions, posed),
            *self._headwear(wear.headwear, posed, eyes),
        ]
        hair = self._hair.build(person, style, posed, conditions.hair.seed)
        if hair is not None:
            submeshes.append(hair_submesh(hair))
        for submesh in submeshes:
            triangles.append(submesh.triangles + sum(map(len, attributes)))
            attributes.append(submesh.attributes)
            materials.append(np.full(len(submesh.triangles), submesh.material, np.int32))
            alpha_cutoffs.append(submesh.alpha_cutoffs)
        joined = np.concatenate(attributes)
        hair_from = sum(map(len, materials)) - (len(hair.triangles) if hair is not None else 0)
        natural = hair_colour(conditions.hair.melanin, conditions.hair.red, 0.0)
        return Scene(
            points=np.ascontiguousarray(joined[:, POSITION : POSITION + 3]),
            triangles=np.concatenate(triangles).astype(np.int32),
            materials=np.concatenate(materials),
            alpha_cutoffs=np.concatenate(alpha_cutoffs),
            texcoords=np.ascontiguousarray(joined[:, TEXCOORD : TEXCOORD + 2]),
            alpha_map=np.concatenate([hair.alpha_map if hair is not None else self._no_hair, self._patterns]),
            attributes=joined,
            shadowing=hair_from + (hair.shadowing if hair is not None else 0),
            hair_from=hair_from,
            hair_is_closed=style.length == 0,
            culled=len(self._closed),
            skin_texture=self._skin_texture(person),
            skin_overlay=self._overlays.build(person, wear.facial_hair),
            gloss=np.array([0.55 + 0.6 * (conditions.hair.seed % 101) / 101, 0.5 + wear.lipstick], np.float32),
            tints=tints(person, conditions, style.stubble),
            strands=hair.strands if hair is not None else self._no_hair,
            hair=np.array([*natural, conditions.hair.grey, 1.0 - 0.5 * style.curl, 0.29, 0.285, 0.275], np.float32),
            plain=plain_colours(conditions),
            lenses=self._lenses(conditions, posed, eyes),
        )

    def _occluding(self, conditions: Conditions, posed: Floats) -> list[Submesh]:
        """The mask, scarf or hand in front of the face."""
        builders = {"mask": self._coverings.mask, "scarf": self._coverings.scarf, "hand": self._hands.submeshes}
        build = builders.get(conditions.occlusion)
        return build(posed, conditions.occlusion_seed) if build else []

    def _headwear(self, headwear: str | None, posed: Floats, eyes: Floats) -> list[Submesh]:
        if headwear is None:
            return []
        thickness, lower = (0.13, 0.10) if headwear == "beanie" else (0.09, 0.0)
        mesh, above = self._hair.skull_cap(posed, thickness)
        peak = [plain_submesh(cap_peak(eyes), None, HAT)] if headwear == "cap" else []
        return [plain_submesh(mesh, above + lower, HAT), *peak]

    def _lenses(self, conditions: Conditions, posed: Floats, eyes: Floats) -> Lenses | None:
        wear = conditions.wear
        if wear.glasses is None:
            return None
        bridge = float(posed[self._brows, 2].max()) - 0.16
        spectacles = fit_spectacles(FRAMES[wear.glasses], eyes, bridge, self._clothing.ears(posed))
        return Lenses(spectacles, wear.glasses_colour, wear.lens_tint)

    def _lash_submesh(self, posed: Floats, normals: Floats, length: float) -> Submesh:
        """The upper lashes, cut into single hairs by the alpha test."""
        used = self._lash_vertices
        tips = self._assets.lash_tips[used] * (1.5 - 0.8 * length)
        rows = MAP_ROWS + RAMP_ROWS + 1 + (_LASH_ROWS - 2) * np.clip(tips, 0, 1)
        texcoords = np.stack([rows, 640 + 420 * self._assets.points[used, 0]], axis=1)
        attributes = vertex_attributes(posed[used], normals[used], 0.6, 1.0, texcoords=texcoords)
        cutoffs = np.full(len(self._lash_triangles), _LASH_CUTOFF, np.float32)
        return Submesh(attributes, self._lash_triangles, LASH, cutoffs)


def _check(conditions: Conditions) -> None:
    """Raises a UsageError for a choice that does not exist."""
    wear = conditions.wear
    choices: list[tuple[str, str | None, Collection[str | None]]] = [
        ("hairstyle", conditions.hair.style, HAIR_STYLES),
        ("facial hair", wear.facial_hair, FACIAL_HAIR),
        ("frame of glasses", wear.glasses, (None, *FRAMES)),
        ("clothing", wear.clothing, CLOTHING),
        ("headwear", wear.headwear, (None, *HEADWEAR_KINDS)),
        ("occlusion", conditions.occlusion, OCCLUSIONS),
    ]
    for name, given, allowed in choices:
        if given not in allowed:
            raise UsageError(f"there is no {name} {given!r}; choose from {', '.join(map(str, allowed))}")
