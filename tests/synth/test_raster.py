"""The rasteriser against a plain one in float64, and the functions of meshes against their definitions."""

import numpy as np
import pytest

pytest.importorskip("numba")
from facedistill.synth.raster import NO_TRIANGLE, map_value, rasterise, smooth_over_mesh, vertex_normals


def blank(rows, columns):
    return (
        np.zeros((rows, columns), np.float32),
        np.full((rows, columns), NO_TRIANGLE, np.int32),
        np.zeros((rows, columns, 2), np.float32),
    )


def draw(screen, triangles, size=24, cull=False, alpha_map=None, texcoords=None, alpha_cutoffs=None):
    screen, triangles = np.array(screen, np.float32), np.array(triangles, np.int32)
    buffers = blank(size, size)
    rasterise(
        screen,
        triangles,
        0,
        cull,
        screen[:, :2].copy() if texcoords is None else np.array(texcoords, np.float32),
        np.zeros((2, 2), np.float32) if alpha_map is None else np.array(alpha_map, np.float32),
        np.full(len(triangles), -1, np.float32) if alpha_cutoffs is None else np.array(alpha_cutoffs, np.float32),
        *buffers,
    )
    return buffers


def slow(screen, triangles, size=24):
    """Triangle ids and perspective-correct weights by their definition, one pixel at a time."""
    triangle_ids, weights = np.full((size, size), NO_TRIANGLE), np.zeros((size, size, 2))
    best = np.zeros((size, size))
    for number, triangle in enumerate(triangles):
        corners = np.array([screen[i] for i in triangle], float)
        matrix = np.stack([corners[:, 0], corners[:, 1], np.ones(3)])
        if abs(np.linalg.det(matrix)) < 1e-9:
            continue
        for row in range(size):
            for column in range(size):
                flat = np.linalg.solve(matrix, [column + 0.5, row + 0.5, 1])
                if (flat < 0).any():
                    continue
                inverse_depth = flat @ (1 / corners[:, 2])
                if inverse_depth > best[row, column]:
                    best[row, column], triangle_ids[row, column] = inverse_depth, number
                    weights[row, column] = (flat / corners[:, 2] / inverse_depth)[:2]
    return triangle_ids, weights


def test_rasterise_agrees_with_a_slow_z_buffer():
    rng = np.random.default_rng(0)
    screen = np.concatenate([rng.uniform(-4, 28, (24, 2)), rng.uniform(1, 9, (24, 1))], axis=1)
    triangles = np.arange(24).reshape(8, 3)
    _, triangle_ids, weights = draw(screen, triangles)
    expected, shares = slow(np.float32(screen).astype(float), triangles)
    assert (triangle_ids == expected).mean() > 0.99  # float32 may decide otherwise on an edge
    same = (triangle_ids == expected) & (triangle_ids != NO_TRIANGLE)
    assert same.sum() > 100
    np.testing.assert_allclose(weights[same], shares[same], atol=2e-3)


def test_rasterise_culls_backs_only_on_request():
    screen = [[2, 2, 5], [20, 2, 5], [2, 20, 5]]  # clockwise with y down: a back face
    assert (draw(screen, [[0, 1, 2]], cull=True)[1] == NO_TRIANGLE).all()
    assert (draw(screen, [[0, 2, 1]], cull=True)[1] == 0).sum() > 100
    assert (draw(screen, [[0, 1, 2]], cull=False)[1] == 0).sum() > 100


def test_rasterise_draws_nothing_behind_the_camera():
    assert (draw([[2, 2, -1], [20, 2, 5], [2, 20, 5]], [[0, 1, 2]])[1] == NO_TRIANGLE).all()


def test_rasterise_cuts_holes_where_strands_are_too_low():
    screen = [[0, 0, 5], [24, 0, 5], [24, 24, 5], [0, 24, 5]]
    texcoords = [[0, 0], [0, 9.0], [9, 9.0], [9, 0]]  # row, column of the map
    alpha_map = np.zeros((10, 20))
    alpha_map[:5] = 1
    triangle_ids = draw(
        screen, [[0, 1, 2], [0, 2, 3]], alpha_map=alpha_map, texcoords=texcoords, alpha_cutoffs=[0.5, 0.5]
    )[1]
    assert (triangle_ids[:10] != NO_TRIANGLE).all()
    assert (triangle_ids[14:] == NO_TRIANGLE).all()


@pytest.mark.parametrize(
    ("row", "column", "expected"),
    [
        pytest.param(0, 0, 0.0, id="a pixel"),
        pytest.param(0.5, 0, 2.0, id="between rows"),
        pytest.param(1, 3.5, 5.5, id="columns go round: between the last (7) and the first (4)"),
        pytest.param(9, 1, 5.0, id="rows end"),
    ],
)
def test_map_value_lies_between_pixels(row, column, expected):
    assert map_value(np.arange(8, dtype=np.float32).reshape(2, 4), row, column) == pytest.approx(expected, abs=0.01)


def test_normals_of_a_pyramid_point_outwards():
    points = np.array([[0, 0, 1], [1, 0, 0], [-1, 1, 0], [-1, -1, 0]], np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1]], np.int32)
    normals = vertex_normals(points, triangles)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-6)
    assert normals[0, 2] > 0.7
    assert (np.einsum("vc,vc->v", normals[1:], points[1:]) > 0).all()


def test_smoothing_keeps_what_is_even_and_evens_what_is_not():
    triangles = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    even = np.full((4, 3), 2.5, np.float32)
    np.testing.assert_allclose(smooth_over_mesh(even, triangles, 5), even, rtol=1e-6)
    rough = np.array([[0.0], [1.0], [0.0], [1.0]], np.float32)
    assert smooth_over_mesh(rough, triangles, 3).std() < 0.2 * rough.std()
