"""The geometry between the nets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mtcnn_reference import cut, slow_suppress

from facedistill.faces.cascade import cut_windows, pyramid_sizes, shift_edges, square_windows, suppress, window_boxes


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 40),
    threshold=st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]),
    over_smaller=st.booleans(),
)
def test_suppress_equals_its_definition(seed, count, threshold, over_smaller):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 50, (count, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0, 30, (count, 2))], axis=1)
    scores = rng.integers(0, 8, count) / 8  # with ties
    assert suppress(boxes, scores, threshold, over_smaller).tolist() == slow_suppress(
        boxes, scores, threshold, over_smaller
    )


@pytest.mark.parametrize(
    ("over_smaller", "kept"),
    [pytest.param(False, [0, 1], id="a small box covers little"), pytest.param(True, [0], id="a box within a box")],
)
def test_suppress_box_within_box(over_smaller, kept):
    boxes = np.array([[0.0, 0, 100, 100], [40, 40, 60, 60]])
    assert suppress(boxes, np.array([0.9, 0.8]), 0.7, over_smaller).tolist() == kept


@pytest.mark.parametrize(
    ("height", "width", "min_face", "levels"),
    [
        pytest.param(19, 400, 20, 0, id="no side may be smaller than the smallest face"),
        pytest.param(20, 20, 20, 1, id="a face that just fills the picture"),
        pytest.param(0, 10, 20, 0, id="an empty picture"),
        pytest.param(480, 640, 20, 10, id="a usual picture: floor(log(480 / 20) / -log 0.709) + 1"),
    ],
)
def test_pyramid(height, width, min_face, levels):
    sizes = pyramid_sizes(height, width, min_face)
    assert len(sizes) == levels
    assert all(min(size) >= 12 for size in sizes)
    assert sizes == sorted(sizes, reverse=True)


def test_window_boxes_of_a_later_strip():
    scores = np.zeros((2, 3))
    scores[1, 2] = 0.9
    boxes, chosen = window_boxes(scores, 0.5, first_row=10)
    assert boxes.tolist() == [[4, 22, 16, 34]]
    assert np.argwhere(chosen).tolist() == [[1, 2]]


def test_shift_edges_counts_in_sides():
    assert shift_edges(np.array([[0.0, 0, 10, 20]]), np.array([[0.1, 0.1, -0.2, 0.5]])).tolist() == [[1, 2, 8, 30]]


@pytest.mark.parametrize(
    ("box", "square"),
    [
        pytest.param([10, 10, 20, 30], [5, 10, 25, 30], id="the longer side counts"),
        pytest.param([1, 1, 1.2, 1.1], [1, 1, 2, 2], id="never empty"),
        pytest.param([5, 5, 3, 4], [4, 4, 5, 5], id="edges that have crossed"),
    ],
)
def test_square_windows(box, square):
    assert square_windows(np.array([box], dtype=float)).tolist() == [square]


@pytest.mark.parametrize(
    "window",
    [
        pytest.param([10, 10, 34, 34], id="as large as the cut"),
        pytest.param([3, 5, 60, 62], id="shrunk"),
        pytest.param([20, 20, 29, 29], id="enlarged"),
        pytest.param([-10, -20, 40, 30], id="beyond the upper left"),
        pytest.param([50, 40, 120, 110], id="beyond the lower right"),
        pytest.param([-40, -40, 160, 160], id="larger than the picture"),
        pytest.param([200, 300, 230, 330], id="outside"),
        pytest.param([-60, -60, -30, -30], id="outside, before the first pixel"),
    ],
)
def test_cut_windows_equals_slow_cut(window):
    image = np.random.default_rng(0).integers(0, 256, (70, 80, 3), dtype=np.uint8)
    x, y, length, expected = cut(image.astype(float), np.array(window, dtype=float), 24)
    assert (x, y, length) == (window[0], window[1], window[2] - window[0])
    got = cut_windows(image, np.array([window]), 24)[0]
    assert np.abs(got - expected).max() <= 1  # OpenCV rounds twice when it enlarges
