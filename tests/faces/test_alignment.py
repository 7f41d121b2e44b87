"""Similarities, aligned crops, and crops turned into other conventions."""

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from facedistill.errors import FacedistillError, UsageError
from facedistill.faces import align, crop_convention, recrop, similarity_transform

SIZES = [(112, 96), (112, 112), (150, 150)]
TEMPLATE = crop_convention((112, 96)).template


def similarity(angle, scale, x, y):
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, x], [s, c, y]])


def apply(matrix, points):
    return points @ matrix[:, :2].T + matrix[:, 2]


similarities = st.builds(
    similarity, st.floats(-np.pi, np.pi), st.floats(0.01, 100), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)
)
point_sets = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).normal(0, 40, (5, 2)))


@settings(max_examples=60, deadline=None)
@given(points=point_sets, matrix=similarities)
def test_recovers_a_similarity(points, matrix):
    np.testing.assert_allclose(similarity_transform(points, apply(matrix, points)), matrix, atol=1e-8, rtol=1e-8)


@settings(max_examples=60, deadline=None)
@given(source=point_sets, target=point_sets, matrix=similarities)
def test_moves_with_its_target(source, target, matrix):
    """What fits best stays best when the target is turned, scaled and shifted."""
    fit = np.vstack([similarity_transform(source, target), [0, 0, 1]])
    moved = similarity_transform(source, apply(matrix, target))
    np.testing.assert_allclose(moved, (np.vstack([matrix, [0, 0, 1]]) @ fit)[:2], atol=1e-6, rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(source=point_sets, target=point_sets, step=st.integers(0, 3), amount=st.sampled_from([-1e-3, 1e-3]))
def test_no_neighbour_fits_better(source, target, step, amount):
    """Least squares: a small step in any of the four parameters makes the error larger."""
    fit = similarity_transform(source, target)
    parameters = np.array([fit[0, 0], fit[1, 0], fit[0, 2], fit[1, 2]])
    parameters[step] += amount
    a, b, x, y = parameters
    other = np.array([[a, -b, x], [b, a, y]])
    assert ((apply(fit, source) - target) ** 2).sum() < ((apply(other, source) - target) ** 2).sum()


@settings(max_examples=30, deadline=None)
@given(points=point_sets)
def test_never_mirrors(points):
    matrix = similarity_transform(points, points * [-1, 1])
    assert np.linalg.det(matrix[:, :2]) > 0


def test_two_points_fix_a_similarity():
    matrix = similarity_transform(np.array([[0, 0], [1, 0]]), np.array([[5, 5], [5, 7]]))
    np.testing.assert_allclose(matrix, [[0, -2, 5], [2, 0, 5]], atol=1e-12)


@pytest.mark.parametrize(
    ("source", "target", "error", "named"),
    [
        pytest.param(np.ones((5, 2)), TEMPLATE, FacedistillError, "coincide", id="all sources in one place"),
        pytest.param(np.full((5, 2), 1e6) + 1e-5, TEMPLATE, FacedistillError, "coincide", id="far out, in one place"),
        pytest.param(TEMPLATE, np.zeros((5, 2)), FacedistillError, "coincide", id="all targets in one place"),
        pytest.param(
            np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]]),
            np.array([[1.0, 0], [-1, 0], [0, -1], [0, 1]]),
            FacedistillError,
            "mirrored",
            id="a mirrored cross: every rotation fits alike",
        ),
        pytest.param(TEMPLATE * np.nan, TEMPLATE, UsageError, "finite", id="NaN"),
        pytest.param(TEMPLATE[:4], TEMPLATE, UsageError, r"\[4, 2\]", id="four points for five"),
        pytest.param(TEMPLATE[:1], TEMPLATE[:1], UsageError, r"\[1, 2\]", id="one point"),
        pytest.param(TEMPLATE.ravel(), TEMPLATE.ravel(), UsageError, r"\[10\]", id="flat"),
    ],
)
def test_degenerate_points_are_refused(source, target, error, named):
    with pytest.raises(error, match=named) as caught:
        similarity_transform(source, target)
    assert type(caught.value) is error


def dots(points, height, width, radius):
    """Soft white dots at `points` on black."""
    rows, columns = np.mgrid[:height, :width]
    image = np.zeros((height, width))
    for x, y in points:
        image += 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * radius**2))
    return np.repeat(image.clip(0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def dot_centres(crop, near, reach=8):
    """Where the dots lie: centres of mass around the places `near`."""
    rows, columns = np.mgrid[: crop.shape[0], : crop.shape[1]]
    centres = []
    for x, y in near:
        weights = crop[:, :, 0] * (np.hypot(columns - x, rows - y) < reach)
        centres.append([(weights * columns).sum() / weights.sum(), (weights * rows).sum() / weights.sum()])
    return np.array(centres)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    ("angle", "scale", "shift"),
    [
        pytest.param(0.0, 1.0, (100, 80), id="as large"),
        pytest.param(0.4, 2.3, (150, 60), id="larger, turned"),
        pytest.param(-0.6, 6.7, (100, 650), id="much larger, turned back"),
        pytest.param(0.2, 0.5, (60, 60), id="smaller"),
    ],
)
def test_landmarks_meet_the_template(size, angle, scale, shift):
    """To a tenth of a pixel, which also proves the half pixels of the dense sampling right."""
    template = crop_convention(size).template
    landmarks = apply(similarity(angle, scale, *shift), template)
    height, width = np.ceil(landmarks.max(axis=0) + 60 * scale).astype(int)[::-1]
    crop = align(dots(landmarks, height, width, radius=2 * scale), landmarks, size)
    assert crop.shape == (*size, 3)
    assert crop.dtype == np.uint8
    np.testing.assert_allclose(dot_centres(crop, template), template, atol=0.1)


def test_fine_stripes_do_not_alias():
    """One-pixel stripes of a face ten times as large as its crop become even grey."""
    image = np.zeros((1400, 1200, 3), np.uint8)
    image[:, ::2] = 255
    crop = align(image, TEMPLATE * 10.3 + 40)
    assert np.ptp(crop[:, :, 0].astype(int)) <= 12
    assert crop.mean() == pytest.approx(127.5, abs=2)


def textured(height, width):
    """Slow colours under stripes of a few pixels and noise."""
    rng = np.random.default_rng(1)
    slow = cv2.resize(rng.uniform(60, 190, (6, 5, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    stripes = 25 * np.sin(np.arange(width) / 0.9)[None, :, None] + 15 * np.sin(np.arange(height) / 0.7)[:, None, None]
    return (slow + stripes + rng.normal(0, 10, slow.shape)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("times", [2, 3, 7])
def test_a_face_some_whole_times_as_large_gives_means_of_blocks(times):
    """Each pixel of the crop is the mean of a block of pixels, to the rounding."""
    image = textured(112 * times, 96 * times)
    crop = align(image, (TEMPLATE + 0.5) * times - 0.5)
    blocks = image.astype(float).reshape(112, times, 96, times, 3).mean(axis=(1, 3))
    assert np.abs(crop - blocks).max() <= 1


@pytest.mark.parametrize(("scale", "angle"), [(1.6, 0.0), (2.5, 0.3), (4.3, -0.5)])
def test_a_large_face_is_averaged_over_areas(scale, angle):
    """Against the exact mean over each pixel's square, summed up from 20 x 20 points of it."""
    image = textured(700, 700)
    matrix = similarity(angle, scale, 0, 0)
    matrix[:, 2] = (350, 350) - apply(matrix, np.array([[47.5, 55.5]]))[0]
    crop = align(image, apply(matrix, TEMPLATE))
    total, steps = np.zeros((112, 96, 3)), (np.arange(20) + 0.5) / 20 - 0.5
    rows, columns = np.mgrid[:112, :96]
    for dx in steps:
        for dy in steps:
            at = apply(matrix, np.stack([columns + dx, rows + dy], axis=2))
            x, y = np.rint(at).clip(0, 699).astype(int).transpose(2, 0, 1)
            total += image[y, x]
    difference = np.abs(crop - total / 400)
    assert difference.mean() < 1.5
    assert np.quantile(difference, 0.99) < 6


def test_the_border_goes_on():
    image = np.full((60, 60, 3), (200, 30, 90), np.uint8)
    crop = align(image, TEMPLATE * 0.5 + 30)  # half of the crop lies beyond the picture
    assert (crop == (200, 30, 90)).all()


def test_channels_keep_their_places():
    image = np.zeros((112, 96, 3), np.uint8)
    image[:, :, 0] = 250
    assert align(image, TEMPLATE)[50, 50].tolist() == [250, 0, 0]


def test_an_aligned_picture_stays_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (112, 96, 3), dtype=np.uint8)
    assert np.abs(align(image, TEMPLATE).astype(int) - image).max() <= 1


def test_wild_landmarks_need_no_wild_memory():
    crop = align(np.zeros((50, 50, 3), np.uint8), TEMPLATE * 1e7)
    assert crop.shape == (112, 96, 3)


@pytest.mark.parametrize(
    ("image", "landmarks", "size", "named"),
    [
        pytest.param(np.zeros((9, 9, 3), np.uint8), TEMPLATE, (96, 112), "96x112", id="width before height"),
        pytest.param(np.zeros((9, 9, 3), np.uint8), TEMPLATE[:4], (112, 96), r"\[4, 2\]", id="four landmarks"),
        pytest.param(np.zeros((9, 9), np.uint8), TEMPLATE, (112, 96), r"\[9, 9\]", id="grey"),
        pytest.param(np.zeros((9, 9, 3)), TEMPLATE, (112, 96), "float64", id="floats"),
        pytest.param(np.zeros((0, 9, 3), np.uint8), TEMPLATE, (112, 96), r"\[0, 9, 3\]", id="empty"),
        pytest.param(np.zeros((1, 40_000, 3), np.uint8), TEMPLATE, (112, 96), "32767", id="longer than OpenCV counts"),
    ],
)
def test_align_refuses_wrong_calls(image, landmarks, size, named):
    with pytest.raises(UsageError, match=named):
        align(image, landmarks, size)


@pytest.mark.parametrize("wanted", SIZES, ids=str)
@pytest.mark.parametrize("present", SIZES, ids=str)
def test_recrop_moves_landmarks_to_the_other_template(present, wanted):
    source = crop_convention(present).template
    expected = apply(similarity_transform(source, crop_convention(wanted).template), source)
    crop = recrop(dots(source, *present, radius=2), wanted)
    assert crop.shape == (*wanted, 3)
    np.testing.assert_allclose(dot_centres(crop, expected), expected, atol=0.15)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_recrop_to_the_wider_crop_and_back_loses_nothing(seed):
    crop = np.random.default_rng(seed).integers(0, 256, (112, 96, 3), dtype=np.uint8)
    wide = recrop(crop, (112, 112))
    assert (wide[:, 8:104] == crop).all()
    assert (wide[:, :8] == crop[:, :1]).all()
    assert (recrop(wide, (112, 96)) == crop).all()


def test_recrop_to_the_same_size_is_a_copy():
    crop = np.zeros((112, 96, 3), np.uint8)
    same = recrop(crop, (112, 96))
    assert (same == crop).all()
    assert not np.shares_memory(same, crop)


@pytest.mark.parametrize(
    ("shape", "size", "named"),
    [
        pytest.param((100, 100, 3), (112, 96), "100x100", id="no such present crop"),
        pytest.param((112, 96, 3), (96, 112), "96x112", id="no such wanted crop"),
        pytest.param((112, 96), (112, 112), r"\[112, 96\]", id="grey"),
    ],
)
def test_recrop_refuses_wrong_calls(shape, size, named):
    with pytest.raises(UsageError, match=named):
        recrop(np.zeros(shape, np.uint8), size)


@settings(max_examples=15, deadline=None)
@given(angle=st.floats(-0.5, 0.5), scale=st.floats(1.0, 3.0), x=st.floats(0, 30), y=st.floats(0, 30))
def test_crop_does_not_depend_on_how_the_face_lies(angle, scale, x, y):
    """A smooth picture, turned and scaled together with its landmarks, gives nearly the same crop."""
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.uniform(0, 255, (9, 9, 3)), (300, 300), interpolation=cv2.INTER_CUBIC)
    image = image.clip(0, 255).astype(np.uint8)
    landmarks = TEMPLATE + 100
    matrix = similarity(angle, scale, 0, 0)
    corners = apply(matrix, np.array([[0, 0], [300, 0], [0, 300], [300, 300.0]]))
    matrix[:, 2] = (x, y) - corners.min(axis=0)
    side = int(np.ceil((corners.max(axis=0) - corners.min(axis=0)).max())) + 31
    assume(side < 2000)
    moved = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    gap = align(moved, apply(matrix, landmarks)).astype(int) - align(image, landmarks)
    assert np.abs(gap).max() <= 6
