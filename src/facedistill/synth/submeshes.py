"""Submeshes: parts of the scene with one material each; and the colours of the materials."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facedistill.synth import shade as shader
from facedistill.synth.arrays import Floats, Ints
from facedistill.synth.conditions import Conditions
from facedistill.synth.hair import HairMesh
from facedistill.synth.hairgrid import MAP_ROWS
from facedistill.synth.mesh import Mesh, grid_mesh
from facedistill.synth.person import Person
from facedistill.synth.shade_skin import BEARD, CHEEKS, LIDS, LIPS, OVERLAYS, ROOTS
from facedistill.synth.skin_overlays import FACIAL_HAIR
from facedistill.synth.skin_texture import hair_colour
from facedistill.synth.texture_layout import texture_coordinates

RAMP_ROWS = 48  # rows of the alpha map below those of hair: a ramp 0..1, by which garments are cut along smooth lines


class Submesh(NamedTuple):
    """A part of the scene with one material. N vertices, T triangles.

    Attributes:
        attributes: float32 [N, ATTRIBUTES], see `shade.shade`.
        triangles: int32 [T, 3].
        material: See `shade.shade`.
        alpha_cutoffs: float32 [T], see `raster.rasterise`.
    """

    attributes: Floats
    triangles: Ints
    material: int
    alpha_cutoffs: Floats


def vertex_attributes(
    points: Floats,
    normals: Floats,
    occlusion: NDArray[np.floating] | float,
    extra: NDArray[np.floating] | float,
    soft: NDArray[np.floating] | float = 0.0,
    texcoords: NDArray[np.floating] | float = 0.0,
) -> Floats:
    """The attributes [N, ATTRIBUTES] of N vertices, as `shade.shade` describes them."""
    attributes = np.empty((len(points), shader.ATTRIBUTES), np.float32)
    attributes[:, shader.POSITION : shader.POSITION + 3] = points
    attributes[:, shader.NORMAL : shader.NORMAL + 3] = normals
    attributes[:, shader.SOFT : shader.SOFT + 3] = soft
    attributes[:, shader.TEXCOORD : shader.TEXCOORD + 2] = texcoords
    attributes[:, shader.OCCLUSION] = occlusion
    attributes[:, shader.EXTRA] = extra
    return attributes


def plain_submesh(
    mesh: Mesh, inside: Floats | None, material: int, brightness: NDArray[np.floating] | float = 1.0
) -> Submesh:
    """A mesh of one colour.

    Args:
        mesh: The mesh, N vertices.
        inside: [N] distance inside the outline at which an alpha test cuts the mesh, decimetres; None cuts nothing.
        material: One of the plain materials of `shade.shade`.
        brightness: [N] or one factor on the material's colour.
    """
    attributes = vertex_attributes(mesh.points, mesh.normals, 0.85, brightness)
    if inside is not None:
        attributes[:, shader.TEXCOORD] = MAP_ROWS + (RAMP_ROWS - 1) * np.clip(0.5 + inside / 0.5, 0, 1)
    cutoff = -1.0 if inside is None else 0.5
    return Submesh(attributes, mesh.triangles, material, np.full(len(mesh.triangles), cutoff, np.float32))


def grid_submesh(points: NDArray[np.floating], material: int, brightness: NDArray[np.floating]) -> Submesh:
    """A surface through points [R, C, 3] of one colour, times `brightness` [R, C]."""
    return plain_submesh(grid_mesh(points), None, material, np.asarray(brightness, np.float32).ravel())


def skin_submesh(mesh: Mesh, shade: NDArray[np.floating]) -> Submesh:
    """A mesh of skin, such as a finger: the texture of the forehead, darkened by `shade` [N], 0..1."""
    texcoords = texture_coordinates(np.array([0.1, 7.65, 1.3], np.float32))
    attributes = vertex_attributes(mesh.points, mesh.normals, 0.85, shade, mesh.normals, texcoords)
    return Submesh(attributes, mesh.triangles, shader.SKIN, np.full(len(mesh.triangles), -1, np.float32))


def hair_submesh(hair: HairMesh) -> Submesh:
    """The shells of the hair."""
    attributes = vertex_attributes(hair.points, hair.normals, hair.shade, 0.0, hair.tangents, hair.texcoords)
    return Submesh(attributes, hair.triangles, shader.HAIR, hair.alpha_cutoffs)


def tints(person: Person, conditions: Conditions, stubble: float) -> Floats:
    """Linear RGB and opacity of each overlay of the skin, float32 [OVERLAYS, 4]; `stubble` is that of the roots."""
    tints = np.zeros((OVERLAYS, 4), np.float32)
    # A beard keeps some dark hairs at any age; short hairs look darker than grey.
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
    """Linear RGB and strength of the highlight of each plain material, float32 [materials, 4]."""
    plain = np.zeros((shader.HAT + 1, 4), np.float32)
    plain[shader.TEETH] = 0.49, 0.45, 0.37, 0.05
    plain[shader.TONGUE] = 0.26, 0.075, 0.065, 0.03
    plain[shader.LASH] = 0.035, 0.026, 0.022, 0.0
    plain[shader.CLOTH] = *conditions.wear.clothing_colour, 0.0
    plain[shader.COVERING] = *conditions.occlusion_colour, 0.0
    plain[shader.HAT] = *conditions.wear.headwear_colour, 0.0
    return plain
