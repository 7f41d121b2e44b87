"""Fast paths of the renderer against plain ones: SIMD lanes, blocks, tables, and the cache of compiled kernels."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")
pytest.importorskip("anny")
from numba import config

from facedistill.faces import CROP_112X96, Detection, similarity_transform
from facedistill.synth import compiling
from facedistill.synth import renderer as renderer_module
from facedistill.synth.baking import NO_WEIGHTS
from facedistill.synth.conditions import draw_conditions
from facedistill.synth.image_formation import PHOTO_SIZE, as_detected
from facedistill.synth.person import draw_person
from facedistill.synth.raster import NO_TRIANGLE, rasterise
from facedistill.synth.shade_skin import BLOCK
from facedistill.synth.tone_mapping import LUMINANCE, tone_map


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), columns=st.sampled_from([5, 8, 19, 40]), cull=st.booleans())
def test_lanes_draw_what_spans_draw(seed, columns, cull):
    rng = np.random.default_rng(seed)
    screen = np.concatenate([rng.uniform(-6, 46, (30, 2)), rng.uniform(1, 9, (30, 1))], axis=1).astype(np.float32)
    triangles, opaque = np.arange(30, dtype=np.int32).reshape(10, 3), np.full(10, -1, np.float32)
    drawn = []
    for weights in (NO_WEIGHTS, np.zeros((32, columns, 2), np.float32)):  # weights are written along spans alone
        inverse_depth, triangle_ids = np.zeros((32, columns), np.float32), np.full((32, columns), NO_TRIANGLE, np.int32)
        blank = np.zeros((2, 2), np.float32)
        rasterise(screen, triangles, 0, cull, screen[:, :2].copy(), blank, opaque, inverse_depth, triangle_ids, weights)
        drawn.append((inverse_depth, triangle_ids))
    (inverse_depth, triangle_ids), (expected_depth, expected) = drawn
    assert (triangle_ids != expected).sum() <= 2  # float32 may decide otherwise on an edge
    np.testing.assert_allclose(
        inverse_depth[triangle_ids == expected], expected_depth[triangle_ids == expected], rtol=1e-4
    )


@pytest.fixture(scope="module")
def shaded(renderer):
    """The arguments of `shade` for one picture, and its result."""
    calls = []
    original = renderer_module.shade

    def recording(*arguments):
        result = original(*arguments)
        calls.append((arguments, result))
        return result

    patch = pytest.MonkeyPatch()
    patch.setattr(renderer_module, "shade", recording)
    person = draw_person(4, 7)
    renderer.render(person, draw_conditions(person, 4, 1), 64)
    patch.undo()
    return calls[0]


def test_blocks_of_skin_are_independent(shaded):
    """A part of the picture is the same whatever else is shaded: full blocks, partial ones and none."""
    (triangle_ids, *rest), whole = shaded
    assert (triangle_ids >= 0).sum() > 4 * BLOCK
    for rows in (slice(0, 2), slice(40, 58), slice(30, 128)):
        part = np.full_like(triangle_ids, NO_TRIANGLE)
        part[rows] = triangle_ids[rows]
        rgba = slice(rows.start // 2, rows.stop // 2)
        again = renderer_module.shade(part, *rest)
        np.testing.assert_allclose(again[rgba], whole[rgba], atol=1e-5)
        assert not again[: rgba.start].any()


def test_coverage_is_the_share_of_samples_that_show_something(shaded):
    (triangle_ids, *_), whole = shaded
    share = (triangle_ids >= 0).reshape(64, 2, 64, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(whole[..., 3], share, atol=1e-6)
    assert np.isfinite(whole).all()


@pytest.mark.parametrize(
    ("coverage", "gains"),
    [
        pytest.param(1.0, (1.0, 1.0, 1.0), id="a person alone"),
        pytest.param(0.0, (1.0, 1.0, 1.0), id="the background alone"),
        pytest.param(0.3, (0.7, 1.1, 1.6), id="an edge, with exposure of the person alone"),
    ],
)
def test_tone_mapping_follows_its_curve(coverage, gains):
    rng = np.random.default_rng(0)
    light, background = rng.exponential(0.4, (2, 40, 40, 3))
    rgba = np.concatenate([light * coverage, np.full((40, 40, 1), coverage)], axis=-1)
    picture = tone_map(np.float32(rgba), np.float32(gains), np.float32(background))
    linear = light * coverage * gains + (1 - coverage) * background
    luminance = linear @ LUMINANCE.astype(float)
    bright = linear * (luminance / 0.20)[..., None] ** 0.355
    bright = 0.9 * bright + 0.1 * (bright @ LUMINANCE.astype(float))[..., None]
    bright = np.where(bright < 0.6, bright, 0.6 + 0.4 * (1 - np.exp((0.6 - bright) / 0.4)))
    expected = 255 * np.where(bright <= 0.0031308, 12.92 * bright, 1.055 * bright ** (1 / 2.4) - 0.055)
    assert np.abs(picture - expected).max() < 2.0
    assert np.abs(picture - expected).mean() < 0.5


def test_tone_mapping_limits_light_beyond_its_tables():
    extreme = np.array([[[0, 0, 0, 1], [1e-9, 0, 0, 1], [50, 90, 70, 1], [-0.01, 0, 0, 1]]], np.float32)
    picture = tone_map(extreme, np.ones(3, np.float32), np.zeros((1, 4, 3), np.float32))
    assert picture[0, 0].tolist() == [0, 0, 0]
    assert picture[0, 2].tolist() == [255, 255, 255]
    assert picture[0, 3].max() == 0


def test_kernels_are_compiled_anew_when_what_they_call_changes(tmp_path, monkeypatch):
    (tmp_path / "caller.py").write_text("\n@kernel\ndef f(): ...\n")
    (tmp_path / "called.py").write_text("\n@inline\ndef g(): ...\n")
    (tmp_path / "other.py").write_text("x = 1\n")
    monkeypatch.setattr(compiling, "__file__", str(tmp_path / "compiling.py"))
    first = compiling._digest()
    (tmp_path / "other.py").write_text("x = 2\n")
    assert compiling._digest() == first
    (tmp_path / "called.py").write_text("\n@inline\ndef g(): return 1\n")
    assert compiling._digest() != first


def test_other_kernels_keep_numbas_own_cache():
    former = config.CACHE_DIR
    compiling.kernel(lambda: 0)
    assert former == config.CACHE_DIR


def test_of_several_detections_that_of_the_person_is_used(monkeypatch, image_formation):
    person = draw_person(3, 2)
    plain = image_formation.capture(person, 3, 0)
    expected = as_detected(np.reshape(plain.labels["landmarks"], (5, 2)), plain.labels["yaw"])
    right = Detection((10, 10, 90, 90), 0.9, expected + 1.0)
    wrong = Detection((10, 10, 90, 90), 0.999, expected + 60.0)
    for found, detected in (([wrong, right], True), ([wrong], False), ([], False)):
        monkeypatch.setattr(image_formation._detector, "detect", lambda _, found=found: found)
        labels = image_formation.capture(person, 3, 0).labels
        assert labels["detected"] is detected
        np.testing.assert_allclose(labels["landmarks_used"], (expected + detected).ravel())


def test_crops_hardly_ever_extend_beyond_the_photo(renderer):
    beyond = []
    rows, columns = np.indices((112, 96))[:, ::4, ::4].reshape(2, -1)
    for number in range(40):
        person = draw_person(12, number)
        conditions = draw_conditions(person, 12, 0)
        bare = dataclasses.replace(conditions, occlusion="none")
        points = as_detected(renderer.render(person, bare, 32).landmarks, bare.pose.yaw)
        matrix = similarity_transform(points, CROP_112X96.template)
        places = (np.stack([columns, rows], axis=1) - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
        beyond.append(((places < -0.5) | (places > 31.5)).any(axis=1).mean())
    assert np.mean(beyond) < 0.03


def test_photos_have_their_stated_size(image_formation):
    assert image_formation.capture(draw_person(1, 1), 1, 0).photo.shape == (PHOTO_SIZE, PHOTO_SIZE, 3)
