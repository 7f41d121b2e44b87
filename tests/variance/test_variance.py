"""Each variance against its formula."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.variance.crops import picture, smooth_picture

from facedistill.errors import UsageError
from facedistill.variance import (
    PAPER_SIZES,
    BrightnessContrast,
    Compose,
    GaussianNoise,
    Grey,
    JpegCompression,
    LowResolution,
    Mirror,
    ShiftRotate,
    degrade,
)


class Fixed:
    """A generator whose every draw is given beforehand: `at` 0..1 of the way from the least to the most."""

    def __init__(self, at: float) -> None:
        self.at = at

    def random(self) -> float:
        return 0.0  # always below the probability

    def uniform(self, low: float, high: float, size: int | None = None) -> object:
        value = low + self.at * (high - low)
        return value if size is None else np.full(size, value)

    def integers(self, low: int, high: int, endpoint: bool) -> int:
        assert endpoint
        return low + round(self.at * (high - low))


# Low resolution: each step as a matrix on one axis, in float64.


def blur_matrix(size: int, sigma: float) -> np.ndarray:
    """Gaussian of 4 sigma each way; beyond the border the picture is reflected, the border pixel not repeated."""
    matrix = np.zeros((size, size))
    reach = int(np.ceil(4 * sigma))
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    for row in range(size):
        for step, weight in zip(range(-reach, reach + 1), weights / weights.sum(), strict=True):
            column = abs(row + step) % max(2 * (size - 1), 1)
            matrix[row, min(column, 2 * (size - 1) - column)] += weight
    return matrix


def shrink_matrix(size: int, small: int) -> np.ndarray:
    """Each small pixel is the mean over the area that it covers."""
    matrix = np.zeros((small, size))
    for row in range(small):
        low, high = row * size / small, (row + 1) * size / small
        for column in range(size):
            matrix[row, column] = max(0.0, min(high, column + 1) - max(low, column)) / (high - low)
    return matrix


def enlarge_matrix(small: int, size: int) -> np.ndarray:
    """Keys' cubic with a = -0.75, pixel centres at halves, the border repeated."""
    matrix = np.zeros((size, small))
    for row in range(size):
        at = (row + 0.5) * small / size - 0.5
        for column in range(int(np.floor(at)) - 1, int(np.floor(at)) + 3):
            d = abs(at - column)
            weight = 1.25 * d**3 - 2.25 * d**2 + 1 if d <= 1 else -0.75 * (d**3 - 5 * d**2 + 8 * d - 4)
            matrix[row, np.clip(column, 0, small - 1)] += weight
    return matrix


def slow_degrade(crop: np.ndarray, rows: int, columns: int, sigma: float) -> np.ndarray:
    def on_both_axes(image: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
        return np.einsum("ij,jkc,lk->ilc", down, image, across, optimize=True)

    height, width = crop.shape[:2]
    down, across = shrink_matrix(height, rows), shrink_matrix(width, columns)
    if sigma:
        down, across = (
            down @ blur_matrix(height, sigma * height / rows),
            across @ blur_matrix(width, sigma * width / columns),
        )
    small = np.rint(on_both_axes(crop.astype(np.float64), down, across))
    large = on_both_axes(small, enlarge_matrix(rows, height), enlarge_matrix(columns, width))
    return large.clip(0, 255)


@pytest.mark.parametrize("rows", [*PAPER_SIZES, 1, 27, 111])
@pytest.mark.parametrize("size", [(112, 96), (112, 112)], ids=str)
def test_degrade_is_its_formula(rows: int, size: tuple[int, int]) -> None:
    crop = picture(*size, seed=rows)
    columns = {96: {8: 7, 12: 10, 16: 14, 20: 17, 30: 26, 1: 1, 27: 23, 111: 95}, 112: {}}[size[1]].get(rows, rows)
    expected = slow_degrade(crop, rows, columns, 0.4)
    assert np.abs(degrade(crop, rows) - expected).max() <= 1


def test_degrade_to_the_own_size_only_blurs() -> None:
    crop = picture(40, 40)
    assert np.abs(degrade(crop, 40) - slow_degrade(crop, 40, 40, 0.4)).max() <= 1


@pytest.mark.parametrize("size", PAPER_SIZES)
@pytest.mark.parametrize("sigma", [0, 0.4, 1.3])
def test_low_resolution_is_a_square_whatever_the_crop(size: int, sigma: float) -> None:
    crop = picture(112, 96, seed=size)
    shown = LowResolution(size, sigma=sigma)(crop, np.random.default_rng(0))
    # Without blur, means of whole numbers lie on a half now and then, and may be rounded either way.
    assert np.abs(shown - slow_degrade(crop, size, size, sigma)).max() <= (1 if sigma else 2)


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40), data=st.data())
def test_degrade_keeps_size_and_an_even_colour(height: int, width: int, data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, height))
    colour = np.array(data.draw(st.tuples(*[st.integers(0, 255)] * 3)), np.uint8)
    np.testing.assert_array_equal(
        degrade(np.tile(colour, (height, width, 1)), rows), np.tile(colour, (height, width, 1))
    )


def test_degrade_says_the_same_twice() -> None:
    crop = picture(112, 96)
    np.testing.assert_array_equal(degrade(crop, 16), degrade(crop, np.int64(16)))


def test_the_paper_degrades_two_fifths_and_every_size_alike() -> None:
    crop, draws = picture(32, 32), 6000
    shown_as = {LowResolution(size)(crop, np.random.default_rng(0)).tobytes(): size for size in PAPER_SIZES} | {
        crop.tobytes(): None
    }
    variance, rng = LowResolution(), np.random.default_rng(1)
    seen = [shown_as[variance(crop, rng).tobytes()] for _ in range(draws)]
    changed = draws - seen.count(None)
    assert abs(changed / draws - 0.4) < 4 * np.sqrt(0.4 * 0.6 / draws)
    for size in PAPER_SIZES:
        assert abs(seen.count(size) / changed - 0.2) < 4 * np.sqrt(0.2 * 0.8 / changed)


@pytest.mark.parametrize("size", [16, (16,), [16]], ids=str)
def test_a_single_size_is_always_taken(size: object) -> None:
    crop, rng = picture(32, 32), np.random.default_rng(0)
    first = LowResolution(size)(crop, rng)
    assert (first != crop).any()
    assert all((LowResolution(size)(crop, rng) == first).all() for _ in range(50))


def test_the_share_of_a_single_size_can_be_chosen() -> None:
    crop, rng = picture(32, 32), np.random.default_rng(0)
    assert all(LowResolution(16, probability=0)(crop, rng) is crop for _ in range(50))


def test_an_enlarged_crop_is_refused() -> None:
    with pytest.raises(UsageError, match=r"20x40 .* cannot be shrunk to 30x30"):
        LowResolution(30)(picture(20, 40), np.random.default_rng(0))
    with pytest.raises(UsageError, match="cannot be shrunk to 41x41"):
        degrade(picture(40, 40), 41)


# The others.


def test_mirror_twice_is_nothing() -> None:
    crop, rng = picture(7, 6), np.random.default_rng(0)
    mirror = Mirror(probability=1)
    once = mirror(crop, rng)
    np.testing.assert_array_equal(once[:, 0], crop[:, 5])
    assert once.flags.c_contiguous
    np.testing.assert_array_equal(mirror(once, rng), crop)


@pytest.mark.parametrize("at", [0.0, 0.3, 0.5, 1.0])
def test_brightness_and_contrast_are_their_formula(at: float) -> None:
    levels = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    shown = BrightnessContrast(brightness=0.2, contrast=0.5, probability=1)(levels, Fixed(at))
    b, c = 0.2 * (2 * at - 1), 1 + 0.5 * (2 * at - 1)
    expected = (c * (levels.astype(np.float64) - 127.5) + 127.5 + 255 * b).clip(0, 255)
    assert np.abs(shown - expected).max() <= 0.5 + 1e-9


def test_grey_is_the_luma_of_bt_601() -> None:
    crop = picture(20, 20)
    shown = Grey(probability=1)(crop, np.random.default_rng(0))
    expected = crop.astype(np.float64) @ [0.299, 0.587, 0.114]
    assert np.abs(shown - expected[..., None]).max() <= 0.51
    assert (shown == shown[..., :1]).all()


@pytest.mark.parametrize("at", [0.0, 0.2, 0.5, 0.9])
def test_shift_rotate_is_its_matrix(at: float) -> None:
    height, width = 112, 96
    crop = smooth_picture(height, width)
    shown = ShiftRotate(shift=0.1, angle=20, scale=0.2, probability=1)(crop, Fixed(at))
    # A point p of the crop is seen at m + s R (p - m) + t, with the crop's middle m; turns are anticlockwise.
    way = 2 * at - 1
    turn, scale = np.deg2rad(20 * way), 1 + 0.2 * way
    R = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    m, t = np.array([(width - 1) / 2, (height - 1) / 2]), 0.1 * way * np.array([width, height])
    y, x = np.mgrid[:height, :width]
    seen = np.stack([x, y], axis=2).reshape(-1, 2)
    p = ((seen - m - t) @ R / scale + m).clip(0, [width - 1, height - 1])  # the border is repeated
    assert np.abs(shown.reshape(-1, 3) - bilinear(crop, p)).max() <= 1


def bilinear(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    low = np.minimum(np.floor(points).astype(int), np.array(image.shape[1::-1]) - 2)
    fx, fy = (points - low).T[..., None]
    (x, y), image = low.T, image.astype(np.float64)
    top = image[y, x] * (1 - fx) + image[y, x + 1] * fx
    return top * (1 - fy) + (image[y + 1, x] * (1 - fx) + image[y + 1, x + 1] * fx) * fy


def test_no_shift_no_turn_no_scale_is_nothing() -> None:
    crop = picture(20, 18)
    still = ShiftRotate(shift=0, angle=0, scale=0, probability=1)
    np.testing.assert_array_equal(still(crop, np.random.default_rng(0)), crop)


@pytest.mark.parametrize(("at", "quality"), [(0.0, 20), (0.5, 50), (1.0, 80)])
def test_jpeg_is_what_a_codec_makes_of_it(at: float, quality: int) -> None:
    crop = smooth_picture(40, 32) // 2 + picture(40, 32) // 2
    shown = JpegCompression(quality=(20, 80), probability=1)(crop, Fixed(at))
    coded = cv2.imencode(".jpg", crop[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    expected = cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(shown.astype(int) - expected).max() <= 3  # decoders differ a little in chroma and rounding
    assert (shown != crop).any()


def test_every_quality_from_the_least_to_the_most_is_drawn() -> None:
    crop, rng = picture(24, 24), np.random.default_rng(0)
    alone = {JpegCompression((q, q), 1)(crop, rng).tobytes() for q in (30, 40, 41, 42, 43)}
    drawn = {JpegCompression((40, 43), 1)(crop, rng).tobytes() for _ in range(100)}
    assert len(drawn) == 4
    assert drawn < alone


def test_noise_has_the_width_that_was_asked_for() -> None:
    crop = np.full((200, 200, 3), 128, np.uint8)
    noise = GaussianNoise(sigma=(10, 10), probability=1)(crop, np.random.default_rng(0)) - crop.astype(np.float64)
    assert abs(noise.mean()) < 5 * 10 / np.sqrt(noise.size)
    assert noise.std() == pytest.approx(np.sqrt(100 + 1 / 12), rel=0.01)  # rounding adds a twelfth
    assert abs((noise**4).mean() / noise.var() ** 2 - 3) < 0.1  # Gaussian
    values = noise.reshape(-1, 3)
    correlated = np.corrcoef(np.hstack([values[:-1], values[1:]]).T) - np.eye(6)
    assert np.abs(correlated).max() < 0.03  # neither channels nor neighbours know of each other


def test_the_width_of_the_noise_is_uniform_over_crops() -> None:
    crop, rng = np.full((40, 40, 3), 128, np.uint8), np.random.default_rng(0)
    widths = np.array([GaussianNoise((2, 8), 1)(crop, rng).std() for _ in range(300)])
    assert 1.9 < widths.min() < 2.3
    assert 7.7 < widths.max() < 8.4
    assert np.histogram(widths, 3, (1.9, 8.2))[0].min() > 70


def test_noise_stops_at_black_and_white() -> None:
    ends = np.tile(np.array([0, 255], np.uint8)[:, None, None], (1, 50, 3))
    shown = GaussianNoise((100, 100), 1)(ends, np.random.default_rng(0))
    assert (shown == ends).mean() == pytest.approx(0.5, abs=0.15)  # half would be beyond; nothing wraps around


def test_compose_hands_on_crop_and_generator() -> None:
    crop = picture(40, 40)
    steps = [ShiftRotate(probability=1), GaussianNoise(probability=1), LowResolution(16)]
    expected, rng = crop, np.random.default_rng(3)
    for step in steps:
        expected = step(expected, rng)
    np.testing.assert_array_equal(Compose(steps)(crop, np.random.default_rng(3)), expected)
    assert Compose()(crop, rng) is crop
