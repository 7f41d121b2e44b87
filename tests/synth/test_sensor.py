"""The effects of the sensor, one at a time, on a known picture."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedistill.errors import UsageError
from facedistill.synth.sensor import Sensor, apply_sensor, draw_sensor, motion_kernel

PLAIN = Sensor(exposure=0, white_balance=(1, 1), blur=0, motion=0, motion_angle=0, noise=0, jpeg=95)


def grey(level: int = 100) -> np.ndarray:
    return np.full((64, 64, 3), level, np.uint8)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_plain_sensor_only_compresses():
    assert np.abs(apply_sensor(grey(), PLAIN, rng()).astype(int) - 100).max() <= 2


@pytest.mark.parametrize("stops", [-1.0, 0.5])
def test_exposure_multiplies_linear_light(stops):
    taken = apply_sensor(grey(), replace(PLAIN, exposure=stops), rng()).mean()
    assert (taken / 255) ** 2.2 == pytest.approx((100 / 255) ** 2.2 * 2**stops, rel=0.05)


def test_white_balance_moves_red_and_blue_against_green():
    red, green, blue = apply_sensor(grey(), replace(PLAIN, white_balance=(1.3, 0.8)), rng()).mean(axis=(0, 1))
    assert red > green > blue


def test_noise_has_the_stated_spread():
    taken = apply_sensor(grey(128), replace(PLAIN, noise=0.02, jpeg=95), rng())[..., 1].astype(float)
    # sqrt(.5 + 2 * .5) = 1.22 times the read noise; JPEG smooths a little of it away
    assert taken.std() / 255 == pytest.approx(0.02 * 1.22, rel=0.25)


def test_motion_smears_along_its_angle():
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[32, 32] = 255
    taken = apply_sensor(picture, replace(PLAIN, motion=9, motion_angle=0), rng())[..., 1].astype(float)
    assert taken[32, 29:36].min() > 5
    assert taken[28:31, 32].max() < 5


@settings(max_examples=40)
@given(st.floats(1, 9), st.floats(0, 180))
def test_a_motion_kernel_is_a_mean_over_a_centred_line(length, angle):
    kernel = motion_kernel(length, angle)
    rows, columns = np.indices(kernel.shape) - kernel.shape[0] // 2
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert kernel.min() >= 0
    assert (kernel * rows).sum() == pytest.approx(0, abs=0.2)
    assert (kernel * columns).sum() == pytest.approx(0, abs=0.2)


def test_the_same_numbers_make_the_same_picture():
    sensor = draw_sensor(np.random.default_rng(3), dim=0.7)
    np.testing.assert_array_equal(apply_sensor(grey(), sensor, rng()), apply_sensor(grey(), sensor, rng()))


def test_dim_scenes_are_noisier():
    noise = [np.mean([draw_sensor(np.random.default_rng(k), dim).noise for k in range(200)]) for dim in (0.0, 1.0)]
    assert noise[1] > 2 * noise[0]


@pytest.mark.parametrize(("shape", "kind"), [((4, 4), np.uint8), ((4, 4, 3), np.float32)], ids=["grey", "float"])
def test_other_pictures_are_refused(shape, kind):
    with pytest.raises(UsageError, match="uint8"):
        apply_sensor(np.zeros(shape, kind), PLAIN, rng())
