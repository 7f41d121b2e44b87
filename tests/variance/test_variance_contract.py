"""What every variance guarantees, and what it refuses."""

import pickle

import numpy as np
import pytest
from tests.variance.crops import picture

from facedistill.errors import UsageError
from facedistill.variance import (
    VARIANCES,
    Compose,
    GaussianNoise,
    LowResolution,
    build_variance,
    degrade,
)


@pytest.mark.parametrize("name", VARIANCES)
@pytest.mark.parametrize("shape", [(112, 96), (112, 112), (31, 47)], ids=str)
def test_shape_and_type_stay_and_the_crop_is_left_alone(name: str, shape: tuple[int, int]) -> None:
    crop = picture(*shape)
    crop.flags.writeable = False
    rng = np.random.default_rng(0)
    for probability in (0.5, 1):
        for _ in range(8):
            shown = build_variance(name, probability=probability)(crop, rng)
            assert shown.shape == crop.shape
            assert shown.dtype == np.uint8
            assert shown is crop or not np.shares_memory(shown, crop)
    np.testing.assert_array_equal(crop, picture(*shape))


@pytest.mark.parametrize("name", VARIANCES)
def test_the_same_seed_shows_the_same(name: str) -> None:
    crop, variance = picture(112, 96), build_variance(name)
    first, second = (
        [variance(crop, rng).tobytes() for _ in range(30)]
        for rng in (np.random.default_rng(5), np.random.default_rng(5))
    )
    assert first == second
    assert len(set(first)) > 1


@pytest.mark.parametrize("name", VARIANCES)
def test_a_probability_is_the_share_that_changes(name: str) -> None:
    crop, rng, draws = picture(32, 32), np.random.default_rng(2), 400
    for probability in (0.0, 0.3, 1.0):
        variance = build_variance(name, probability=probability)
        same = sum(variance(crop, rng) is crop for _ in range(draws))
        assert abs(1 - same / draws - probability) <= 4 * np.sqrt(probability * (1 - probability) / draws)


@pytest.mark.parametrize("name", VARIANCES)
def test_views_are_shown_like_copies(name: str) -> None:
    large = picture(80, 80)
    for view in (large[::2, ::-2], large[3:43, 5:45], large[:40, :40, ::-1], large.transpose(1, 0, 2)[:40, :40]):
        variance = build_variance(name, probability=1)
        shown = variance(view, np.random.default_rng(0))
        np.testing.assert_array_equal(shown, variance(view.copy(order="C"), np.random.default_rng(0)))


@pytest.mark.parametrize("name", VARIANCES)
def test_the_smallest_crop_is_a_crop(name: str) -> None:
    options = {"size": 1} if name == "low_resolution" else {}
    crop = np.array([[[10, 200, 30]]], np.uint8)
    shown = build_variance(name, probability=1, **options)(crop, np.random.default_rng(0))
    assert (shown.shape, shown.dtype) == ((1, 1, 3), np.uint8)
    assert not np.shares_memory(shown, crop)


@pytest.mark.parametrize("name", VARIANCES)
def test_worker_processes_get_their_copy(name: str) -> None:
    variance = build_variance(name)
    assert pickle.loads(pickle.dumps(variance)) == variance  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    "crop",
    [
        pytest.param(np.zeros((8, 8, 3)), id="fractions"),
        pytest.param(np.zeros((8, 8), np.uint8), id="grey"),
        pytest.param(np.zeros((8, 8, 4), np.uint8), id="four channels"),
        pytest.param(np.zeros((2, 8, 8, 3), np.uint8), id="a batch"),
        pytest.param(np.zeros((0, 8, 3), np.uint8), id="nothing"),
        pytest.param([[[0, 0, 0]]], id="a list"),
    ],
)
def test_what_is_no_crop_is_refused(crop: object) -> None:
    rng = np.random.default_rng(0)
    for variance in (*(build_variance(name) for name in VARIANCES), Compose(), lambda crop, _: degrade(crop, 1)):
        with pytest.raises(UsageError, match="a crop must be"):
            variance(crop, rng)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        pytest.param("low_resolution", {"size": 0}, "size must be", id="no pixel"),
        pytest.param("low_resolution", {"size": -8}, "size must be", id="a negative size"),
        pytest.param("low_resolution", {"size": 16.0}, "size must be", id="a size that is a fraction"),
        pytest.param("low_resolution", {"size": True}, "size must be", id="a size that is a truth"),
        pytest.param("low_resolution", {"size": "16"}, "size must be", id="a size that is a text"),
        pytest.param("low_resolution", {"size": None}, "size must be", id="a size that is nothing"),
        pytest.param("low_resolution", {"size": []}, "at least one size", id="no size at all"),
        pytest.param("low_resolution", {"size": [8, 0]}, "size must be", id="one wrong size among others"),
        pytest.param("low_resolution", {"sigma": -0.1}, "sigma must be", id="a negative width"),
        pytest.param("low_resolution", {"sigma": NAN}, "sigma must be", id="a width that is no number"),
        pytest.param("low_resolution", {"sigma": INF}, "sigma must be", id="an infinite width"),
        pytest.param("brightness_contrast", {"brightness": 1.1}, "brightness must be", id="beyond white"),
        pytest.param("brightness_contrast", {"contrast": -0.1}, "contrast must be", id="a negative contrast"),
        pytest.param("shift_rotate", {"shift": 0.6}, "shift must be", id="out of the picture"),
        pytest.param("shift_rotate", {"angle": 181}, "angle must be", id="more than half a turn"),
        pytest.param("shift_rotate", {"scale": 1.0}, "scale must be", id="shrunk to a point"),
        pytest.param("jpeg", {"quality": (0, 50)}, "quality must be", id="below the least quality"),
        pytest.param("jpeg", {"quality": (50, 101)}, "quality must be", id="above the best quality"),
        pytest.param("jpeg", {"quality": (60, 50)}, "a pair", id="the most below the least"),
        pytest.param("jpeg", {"quality": (30.5, 50.0)}, "whole numbers", id="a fraction of a quality"),
        pytest.param("jpeg", {"quality": 50}, "a pair", id="one quality"),
        pytest.param("jpeg", {"quality": "59"}, "a pair", id="a text of two letters"),
        pytest.param("noise", {"sigma": (-1, 5)}, "sigma must be", id="negative noise"),
        pytest.param("noise", {"sigma": (0, 300)}, "sigma must be", id="more noise than picture"),
        pytest.param("noise", {"sigma": (1, 2, 3)}, "a pair", id="three ends"),
        pytest.param("camera", {"rows": (0, 44)}, "rows must be", id="no rows"),
        pytest.param("camera", {"rows": (7.5, 44)}, "rows must be two whole numbers", id="a fraction of a row"),
        pytest.param("camera", {"rows": 16}, "a pair", id="one number of rows"),
        pytest.param("camera", {"sigma": (0.1, INF)}, "sigma must be", id="blurred to nothing"),
        pytest.param("camera", {"motion": 2}, "motion must be", id="more than all in motion"),
        pytest.param("camera", {"misaligned": -1}, "misaligned must be", id="less than none misaligned"),
        pytest.param("camera", {"angle": 200}, "angle must be", id="a face turned round"),
        pytest.param("camera", {"scale": 1}, "scale must be", id="a face that is a point"),
        pytest.param("camera", {"shift": 0.6}, "shift must be", id="a face out of the picture"),
        pytest.param("camera", {"exposure": (0, 1)}, "exposure must be", id="no light"),
        pytest.param("camera", {"noise": (-1, 8)}, "noise must be", id="negative noise of a camera"),
        pytest.param("camera", {"quality": (45, 101)}, "quality must be", id="beyond the best quality"),
        pytest.param("noise", {"sigma": (0, NAN)}, "sigma must be", id="an end that is no number"),
    ],
)
def test_bad_options_are_refused(name: str, options: dict, message: str) -> None:
    with pytest.raises(UsageError) as error:
        build_variance(name, **options)
    assert str(error.value).startswith(f"{name}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", VARIANCES)
@pytest.mark.parametrize("probability", [-0.1, 1.1, NAN, "half", True], ids=str)
def test_a_share_that_is_none_is_refused(name: str, probability: object) -> None:
    with pytest.raises(UsageError, match=f"{name}: probability must be a number from 0 to 1,"):
        build_variance(name, probability=probability)


@pytest.mark.parametrize("rows", [0, -1, 8.0, True, "8", None], ids=str)
def test_degrade_refuses_rows_that_are_none(rows: object) -> None:
    with pytest.raises(UsageError, match="rows must be a whole number"):
        degrade(picture(16, 16), rows)


def test_unknown_names_and_options_list_what_is_known() -> None:
    with pytest.raises(UsageError) as error:
        build_variance("fog")
    assert "'fog'" in str(error.value)
    assert all(name in str(error.value) for name in VARIANCES)
    with pytest.raises(UsageError, match=r"low_resolution.* has no option 'sizes'; .*size, probability, sigma"):
        build_variance("low_resolution", sizes=[8])


def test_lists_of_a_recipe_stand_for_tuples() -> None:
    assert build_variance("noise", sigma=[1, 2]) == GaussianNoise((1, 2))
    assert build_variance("low_resolution", size=[8, 16]) == LowResolution((8, 16))
