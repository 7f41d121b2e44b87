"""What a camera does: each step alone, and that all of it happens to the small picture."""

import numpy as np
import pytest
from tests.variance.crops import picture, smooth_picture

from facedistill.variance import Camera, degrade

HEIGHT, WIDTH = 112, 96
# A camera that only shrinks, as `degrade` does, but for JPEG of the best quality.
PLAIN = {
    "probability": 1,
    "sigma": (0.4, 0.4),
    "motion": 0,
    "misaligned": 0,
    "exposure": (1, 1),
    "noise": (0, 0),
    "quality": (100, 100),
}


def shown(crop: np.ndarray, seed: int = 0, **options: object) -> np.ndarray:
    return Camera(**{**PLAIN, **options})(crop, np.random.default_rng(seed))


@pytest.mark.parametrize("rows", [8, 16, 30])
def test_without_a_sensor_it_is_the_standard_degradation(rows: int) -> None:
    grey = np.repeat(smooth_picture(HEIGHT, WIDTH)[..., :1], 3, axis=2)  # of colours, JPEG halves the resolution
    assert np.abs(shown(grey, rows=(rows, rows)).astype(int) - degrade(grey, rows)).max() <= 2


def test_rows_are_drawn_uniformly_in_their_logarithm() -> None:
    camera, rng = Camera(rows=(7, 44), probability=1), np.random.default_rng(0)
    rows = np.array([camera.draw(rng, HEIGHT, WIDTH).size.rows for _ in range(2000)])
    assert (rows.min(), rows.max()) == (7, 44)
    for middle in (11, 18, 28):
        share = np.log(middle / 7) / np.log(45 / 7)
        assert (rows < middle).mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 2000))


def test_a_small_crop_keeps_its_rows() -> None:
    camera = Camera(rows=(40, 44), probability=1)
    size = camera.draw(np.random.default_rng(0), 20, 30).size
    assert (size.rows, size.columns) == (20, 30)


def test_widths_stay_in_their_range_whatever_the_step() -> None:
    camera, rng = Camera(sigma=(0.11, 0.42), motion=0, probability=1), np.random.default_rng(0)
    widths = {camera.draw(rng, HEIGHT, WIDTH).size.sigma for _ in range(300)}
    assert min(widths) >= 0.11
    assert max(widths) <= 0.42
    assert len(widths) > 4


def test_more_blur_leaves_less_detail() -> None:
    crop = picture(HEIGHT, WIDTH)
    detail = [shown(crop, rows=(20, 20), sigma=(sigma, sigma)).std() for sigma in (0, 0.4, 0.9)]
    assert detail[0] > detail[1] > detail[2]


@pytest.mark.parametrize("factor", [0.6, 1.2])
def test_exposure_is_a_factor(factor: float) -> None:
    crop = smooth_picture(HEIGHT, WIDTH)
    means = [shown(crop, rows=(24, 24), exposure=(f, f)).mean() for f in (factor, 1)]
    assert means[0] / means[1] == pytest.approx(factor, rel=0.01)


def test_noise_has_its_width_and_the_size_of_small_pixels() -> None:
    flat = np.full((HEIGHT, HEIGHT, 3), 128, np.uint8)
    grain = shown(flat, rows=(28, 28), noise=(8, 8)).astype(np.float64) - 128
    luma = [0.299, 0.587, 0.114]  # of colours, JPEG halves the resolution
    middles = (grain @ luma)[1::4, 1::4]  # an eighth of a small pixel from its middle
    assert middles.std() == pytest.approx(8 * np.linalg.norm(luma), rel=0.1)
    assert np.corrcoef(grain[:, :-1].ravel(), grain[:, 1:].ravel())[0, 1] > 0.8  # enlarged noise is no pixel noise


def test_worse_jpeg_is_farther_from_the_picture() -> None:
    crop = picture(HEIGHT, WIDTH)
    best = shown(crop, rows=(40, 40)).astype(int)
    away = [np.abs(shown(crop, rows=(40, 40), quality=(q, q)) - best).mean() for q in (95, 70, 45)]
    assert away[0] < away[1] < away[2]


def test_motion_blurs_along_its_way_only() -> None:
    camera = Camera(**{**PLAIN, "rows": (28, 28), "motion": 1})
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    stripes = [np.repeat((127 + 100 * np.sin(axis / 3))[..., None], 3, 2).astype(np.uint8) for axis in (x, y)]
    drawn = camera.draw(np.random.default_rng(0), HEIGHT, WIDTH)
    assert 0.5 <= np.hypot(*drawn.motion) <= 2
    still = drawn._replace(motion=np.zeros(2))
    along_x, along_y = (drawn._replace(motion=np.array(way)) for way in ([2.0, 0.0], [0.0, 2.0]))
    left = np.sinc(2 / (3 * 2 * np.pi * 28 / HEIGHT))  # of a sine of so many small pixels after a way of two
    for axis, (blurring, harmless) in enumerate([(along_x, along_y), (along_y, along_x)]):
        sharp = camera.apply(stripes[axis], still).std()
        assert camera.apply(stripes[axis], blurring).std() == pytest.approx(left * sharp, rel=0.03)
        assert camera.apply(stripes[axis], harmless).std() == pytest.approx(sharp, rel=0.02)


def test_a_misaligned_face_is_where_its_matrix_puts_it() -> None:
    camera = Camera(**{**PLAIN, "rows": (56, 56), "misaligned": 1, "angle": 10, "scale": 0.1, "shift": 0.05})
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    place = np.array([30.0, 40.0])
    dot = np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / 50)
    crop = np.repeat(np.rint(255 * dot)[..., None], 3, axis=2).astype(np.uint8)
    for seed in range(4):
        drawn = camera.draw(np.random.default_rng(seed), HEIGHT, WIDTH)
        seen = camera.apply(crop, drawn)[..., 0].astype(np.float64)
        seen[seen < 20] = 0  # JPEG rings far away
        found = np.array([(seen * x).sum(), (seen * y).sum()]) / seen.sum()
        np.testing.assert_allclose(found, drawn.placement.matrix(HEIGHT, WIDTH) @ [*place, 1], atol=0.5)


@pytest.mark.parametrize(
    ("option", "of_draws"),
    [
        pytest.param("motion", lambda drawn: drawn.motion is not None, id="motion"),
        pytest.param("misaligned", lambda drawn: drawn.placement is not None, id="misaligned"),
    ],
)
def test_shares_within_the_changed_crops(option: str, of_draws: object) -> None:
    camera, rng = Camera(probability=1, **{option: 0.3}), np.random.default_rng(1)
    share = np.mean([of_draws(camera.draw(rng, HEIGHT, WIDTH)) for _ in range(600)])
    assert abs(share - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 600)
