"""Hair: hairline, ends, and independence of former calls."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("anny")
from facedistill.synth.hair import HairBuilder
from facedistill.synth.hairflow import FLOW_PATTERNS, VARIANTS, HairFlowBuilder
from facedistill.synth.hairgrid import MAP_COLUMNS, MAP_ROWS, HairGrid
from facedistill.synth.hairline import hairline_depth
from facedistill.synth.hairstyles import HAIR_STYLES
from facedistill.synth.person import draw_person
from facedistill.synth.raster import vertex_normals
from facedistill.synth.texture_layout import azimuth

BROWS = 7.56  # upper edge of most brows on the resting head, decimetres


@pytest.fixture(scope="module")
def hair_builder(assets):
    return HairBuilder(assets)


@pytest.fixture(scope="module")
def grid(assets):
    return HairGrid(assets)


@pytest.fixture(scope="module")
def person():
    return dataclasses.replace(draw_person(4, 2), recession=0.0, hairline=0.0)


def test_hair_does_not_depend_on_former_calls(assets, hair_builder, person):
    style = HAIR_STYLES["side_part"]
    hair_builder.build(person, HAIR_STYLES["long_curly"], assets.points, 5)
    again, fresh = (builder.build(person, style, assets.points, 8) for builder in (hair_builder, HairBuilder(assets)))
    for name in ("points", "normals", "alpha_map", "strands", "triangles", "shade"):
        np.testing.assert_array_equal(getattr(again, name), getattr(fresh, name))


@pytest.mark.parametrize("name", sorted(HAIR_STYLES))
def test_every_style_leaves_the_brows_free(assets, hair_builder, grid, person, name):
    points = grid.map_points
    on_skull = np.arange(MAP_ROWS)[:, None] < 150
    face = on_skull & (points[..., 1] < BROWS) & (np.abs(azimuth(points)) < 0.4)
    assert face.sum() > 100
    for seed in range(4):
        hair = hair_builder.build(person, HAIR_STYLES[name], assets.points, seed)
        if hair is None:
            assert name == "shaved"
            return
        assert (hair.alpha_map[face] > 0.1).mean() < 0.05
        for values in (hair.points, hair.normals, hair.alpha_map):
            assert np.isfinite(values).all()
        assert hair.triangles.max() < len(hair.points) == len(hair.normals) == len(hair.texcoords) == len(hair.shade)
        assert hair.alpha_map.shape == hair.strands.shape == (MAP_ROWS, MAP_COLUMNS)
        assert 0 < hair.shadowing <= len(hair.triangles) == len(hair.alpha_cutoffs)


def test_short_hair_costs_less_than_long(assets, hair_builder, person):
    count = {
        name: len(hair_builder.build(person, HAIR_STYLES[name], assets.points, 1).triangles)
        for name in HAIR_STYLES
        if name != "shaved"
    }
    assert count["buzz"] < count["short"] < count["long"] < 12_000


def test_no_two_pictures_have_the_same_hair(assets, hair_builder, person):
    first, second = (hair_builder.build(person, HAIR_STYLES["short"], assets.points, seed) for seed in (1, 2))
    assert np.abs(first.alpha_map - second.alpha_map).mean() > 0.01


def test_hair_follows_the_head(assets, hair_builder, person):
    shift = np.array([0.3, -0.2, 0.1], np.float32)
    still, moved = (
        hair_builder.build(person, HAIR_STYLES["crop"], points, 3) for points in (assets.points, assets.points + shift)
    )
    np.testing.assert_allclose(moved.points, still.points + shift, atol=1e-4)


def test_hair_grows_from_the_skin(assets, grid):
    """Above the ears the grid stays within three millimetres of the resting skin, measured across it."""
    skin = np.flatnonzero(assets.vertices_of("skin"))
    above = grid.resting[grid.resting[..., 1] > 7.6]
    nearest = skin[((above[:, None] - assets.points[skin][None]) ** 2).sum(-1).argmin(axis=1)]
    normals = vertex_normals(assets.points, assets.triangles)[nearest]
    across = ((above - assets.points[nearest]) * normals).sum(-1)
    assert np.percentile(np.abs(across), 99) < 0.03


@pytest.mark.parametrize(
    ("change", "grows"),
    [
        pytest.param({"recession": 0.6}, False, id="receding bares the temples"),
        pytest.param({"hairline": 1.0}, False, id="a high forehead"),
        pytest.param({"hairline": -1.0}, True, id="a low forehead"),
    ],
)
def test_the_hairline_is_the_persons_own(grid, person, change, grows):
    points = grid.map_points
    temples = (np.abs(np.abs(azimuth(points)) - 0.5) < 0.1) & (points[..., 1] > 7.8)
    before = hairline_depth(points, person)[temples].mean()
    after = hairline_depth(points, dataclasses.replace(person, **change))[temples].mean()
    assert (after > before) == grows


def test_the_bald_have_a_wreath(grid, person):
    inside = hairline_depth(grid.map_points, dataclasses.replace(person, recession=1.0))
    points = grid.map_points
    assert inside[points[..., 1] > 8.3].max() < 0
    assert inside[(np.abs(azimuth(points)) > 2.5) & (points[..., 1] < 7.2) & (points[..., 1] > 7.0)].min() > 0


@pytest.mark.parametrize("pattern", sorted(FLOW_PATTERNS))
def test_strands_run_along_the_skull(grid, pattern):
    flow_builder = HairFlowBuilder(grid)
    flows = [flow_builder.build(pattern, 0.2, 0.0, variant) for variant in range(VARIANTS)]
    for flow in flows:
        assert flow.strands.min() >= 0
        assert flow.strands.max() <= 1
        lengths = np.linalg.norm(flow.tangents, axis=-1)
        assert np.percentile(np.abs(lengths - 1), 95) < 0.02
    assert {flow.side for flow in flows} == {1, -1}
    assert (flows[0].parting.max() > 0.5) == (FLOW_PATTERNS[pattern][1] is not None)
