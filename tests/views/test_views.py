"""Views: one interpolation, crops that share their geometry, and torch that shows what numpy shows."""

import pickle

import numpy as np
import pytest
import torch
from tests.variance.crops import picture, smooth_picture

from facedistill.errors import UsageError
from facedistill.views import (
    VIEWS,
    Cut,
    Elastic,
    Mirror,
    Mixture,
    Patches,
    Scale,
    Shift,
    Turn,
    Views,
    build_view,
)

HEIGHT, WIDTH = 120, 112
WHOLE = Cut.whole(HEIGHT, WIDTH)
SMALLER = Cut.of([[0.8, 0.03, 4], [-0.03, 0.8, 9]], 112, 96)
COUNT = 16
TWO_FACES = {"mixture", "patches", "frequencies"}


def to_tensor(pictures: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)


def faces(count: int = COUNT, height: int = HEIGHT, width: int = WIDTH) -> tuple[list[np.ndarray], list[np.ndarray]]:
    return [smooth_picture(height, width, i) for i in range(count)], [
        smooth_picture(height, width, i + 40) for i in range(count)
    ]


def always(name: str) -> Views:
    """A view of one part that changes every picture."""
    options = {"probability": 1} if hasattr(build_view(name), "probability") else {}
    return Views([build_view(name, **options)])


def everything() -> Views:
    return Views([build_view(name) for name in VIEWS])


@pytest.mark.parametrize("cut", [None, SMALLER], ids=["whole", "cut"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32], ids=str)
@pytest.mark.parametrize("name", [*VIEWS, "all"])
def test_a_batch_is_its_pictures_one_by_one(name: str, dtype: torch.dtype, cut: Cut | None) -> None:
    views = everything() if name == "all" else Views([build_view(name)])
    first, second = faces()
    draws = [views.draw(np.random.default_rng(seed), HEIGHT, WIDTH) for seed in range(COUNT)]
    given, partners = to_tensor(first).to(dtype), to_tensor(second).to(dtype)
    shown = views.apply_batch(given, partners, draws, cut)
    one = [views.apply(*each, cut) for each in zip(first, second, draws, strict=True)]
    assert shown.pictures.dtype == dtype
    assert torch.equal(given, to_tensor(first).to(dtype)), "the given batch was changed"
    apart = (to_tensor([view.picture for view in one]).int() - shown.pictures.int()).abs()
    # Of 4 levels from pixel to pixel, OpenCV's 1/32 pixel is 1/8 in x and y each; contrast and gamma stretch it.
    assert apart.max() <= 2
    assert (apart <= 1).float().mean() >= 0.999
    np.testing.assert_array_equal(shown.share.numpy(), np.float32([view.share for view in one]))


@pytest.mark.parametrize("name", VIEWS)
def test_every_part_changes_pictures_and_leaves_the_given_ones(name: str) -> None:
    views = always(name)
    (first,), (second,) = faces(1)
    given = first.copy()
    first.flags.writeable = second.flags.writeable = False
    seen = set()
    for seed in range(8):
        draws = views.draw(np.random.default_rng(seed), HEIGHT, WIDTH)
        shown = views.apply(first, second, draws).picture
        assert (shown.dtype, shown.shape) == (np.uint8, first.shape)
        assert not np.shares_memory(shown, first)
        np.testing.assert_array_equal(shown, views.apply(first, second, draws).picture)
        seen.add(shown.tobytes())
    np.testing.assert_array_equal(first, given)
    # A draw near the middle of its range may leave every level where it was.
    assert len(seen - {given.tobytes()}) >= (1 if name in ("mirror", "grey") else 6)


@pytest.mark.parametrize("name", VIEWS)
def test_parts_and_draws_reach_worker_processes(name: str) -> None:
    views = always(name)
    draws = views.draw(np.random.default_rng(1), HEIGHT, WIDTH)
    other_views, other_draws = pickle.loads(pickle.dumps((views, draws)))  # noqa: S301 - our own bytes
    (first,), (second,) = faces(1)
    np.testing.assert_array_equal(
        other_views.apply(first, second, other_draws).picture, views.apply(first, second, draws).picture
    )


def test_draws_follow_from_the_generator_alone() -> None:
    views = everything()
    first, second = (views.draw(np.random.default_rng(3), HEIGHT, WIDTH) for _ in range(2))
    assert pickle.dumps(first) == pickle.dumps(second)
    assert pickle.dumps(first) != pickle.dumps(views.draw(np.random.default_rng(4), HEIGHT, WIDTH))


def test_half_precision_around_it_does_not_reach_in() -> None:
    views, (first, second) = everything(), faces(4)
    draws = [views.draw(np.random.default_rng(seed), HEIGHT, WIDTH) for seed in range(4)]
    alone = views.apply_batch(to_tensor(first), to_tensor(second), draws).pictures
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(views.apply_batch(to_tensor(first), to_tensor(second), draws).pictures, alone)


# Geometry.

LANDMARKS = np.array([[38.0, 52], [73, 50], [56, 70], [42, 90], [70, 91]])


def dots(places: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    away = (x - places[:, 0, None, None]) ** 2 + (y - places[:, 1, None, None]) ** 2
    return np.repeat(np.rint(255 * np.exp(-away / 18))[:, ..., None], 3, axis=3).astype(np.uint8)  # one a picture


def middle(shown: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[: shown.shape[0], : shown.shape[1]]
    weight = shown[..., 0].astype(np.float64)
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


@pytest.mark.parametrize("cut", [WHOLE, SMALLER, Cut.of([[1.25, 0, -9], [0, 1.25, -14]], 150, 150)], ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_crops_of_several_nets_share_the_geometry(cut: Cut, seed: int) -> None:
    """Landmarks drawn into the picture are found where the matrices of view and crop put them, by numpy and torch."""
    views = Views([build_view(name) for name in ("mirror", "turn", "scale", "aspect", "shift")])
    draws = views.draw(np.random.default_rng(seed), HEIGHT, WIDTH)
    expected = (cut.matrix @ draws.matrix @ np.c_[LANDMARKS, np.ones(5)].T)[:2].T
    pictures = dots(LANDMARKS)
    batch = views.apply_batch(to_tensor(list(pictures)), None, [draws] * 5, cut).pictures
    for index, place in enumerate(expected):
        for shown in (views.apply(pictures[index], None, draws, cut).picture, batch[index].permute(1, 2, 0).numpy()):
            assert shown.shape == (cut.height, cut.width, 3)
            np.testing.assert_allclose(middle(shown), place, atol=0.1)


def test_a_warp_puts_landmarks_alike_into_all_crops() -> None:
    views = Views([Turn(), Elastic(probability=1)])
    draws = views.draw(np.random.default_rng(2), HEIGHT, WIDTH)
    moved = 0.0
    for place, shown in zip(LANDMARKS, dots(LANDMARKS), strict=True):
        whole = middle(views.apply(shown, None, draws).picture)
        cut = middle(views.apply(shown, None, draws, SMALLER).picture)
        np.testing.assert_allclose(cut, (SMALLER.matrix @ [*whole, 1])[:2], atol=0.15)
        moved = max(moved, np.abs(whole - (draws.matrix @ [*place, 1])[:2]).max())
    assert moved > 0.5  # the warp moved them, or this test would not see it


def test_geometry_is_multiplied_in_its_order() -> None:
    one_way, other_way = (
        Views(parts).draw(np.random.default_rng(0), HEIGHT, WIDTH).matrix
        for parts in ([Shift(0.2), Mirror(1)], [Mirror(1), Shift(0.2)])
    )
    # Shifted first, the mirror turns the shift round.
    assert one_way[0, 2] - (WIDTH - 1) == pytest.approx(-(other_way[0, 2] - (WIDTH - 1)), abs=WIDTH * 0.4)
    x, y = np.random.default_rng(0).uniform(-0.2, 0.2, 2)
    np.testing.assert_allclose(one_way @ [10, 20, 1], [WIDTH - 1 - (10 + x * WIDTH), 20 + y * HEIGHT, 1])


def test_a_mirror_is_the_picture_read_backwards() -> None:
    shown = picture(HEIGHT, WIDTH)
    views = Views([Mirror(1)])
    draws = views.draw(np.random.default_rng(0), HEIGHT, WIDTH)
    np.testing.assert_array_equal(views.apply(shown, None, draws).picture, shown[:, ::-1])
    batch = views.apply_batch(to_tensor([shown]), None, [draws]).pictures
    assert torch.equal(batch, to_tensor([shown]).flip(3))


def test_no_part_is_the_picture() -> None:
    shown, views = picture(HEIGHT, WIDTH), Views()
    draws = views.draw(np.random.default_rng(0), HEIGHT, WIDTH)
    np.testing.assert_array_equal(views.apply(shown, None, draws).picture, shown)
    assert torch.equal(views.apply_batch(to_tensor([shown]), None, [draws]).pictures, to_tensor([shown]))
    assert not views.needs_partner


@pytest.mark.parametrize("strength", [0.01, 0.05])
def test_a_warp_neither_folds_nor_leaves_its_bound(strength: float) -> None:
    warp = Elastic(strength=strength, probability=1)
    y, x = (np.mgrid[:101, :101]) / 100
    places = np.stack([x, y], axis=2)
    for seed in range(20):
        away = warp.displace(places, warp.draw(np.random.default_rng(seed), HEIGHT, WIDTH))
        assert np.abs(away).max() <= strength + 1e-6
        down, across = np.gradient(places + away, 0.01, axis=(0, 1))
        assert (across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]).min() > 0  # area keeps its sign


# Two faces.


@pytest.mark.parametrize("name", VIEWS)
def test_what_needs_a_second_face_is_known_beforehand(name: str) -> None:
    views = always(name)
    draws = views.draw(np.random.default_rng(0), HEIGHT, WIDTH)
    assert views.needs_partner == draws.needs_partner == (name in TWO_FACES)
    assert (draws.share == 1) == (name not in TWO_FACES)
    if name in TWO_FACES:
        shown = picture(HEIGHT, WIDTH)
        with pytest.raises(UsageError, match="none was given"):
            views.apply(shown, None, draws)
        with pytest.raises(UsageError, match="none was given"):
            views.apply_batch(to_tensor([shown]), None, [draws])
        with pytest.raises(UsageError, match=r"a second face must be \[120, 112, 3\]"):
            views.apply(shown, shown[:100], draws)
        with pytest.raises(UsageError, match=r"a second face must be \[1, 3, 120, 112\]"):
            views.apply_batch(to_tensor([shown]), to_tensor([shown[:100]]), [draws])


def test_one_face_needs_no_partner_though_others_do() -> None:
    views = Views([Mixture(probability=0.5)])
    draws = [views.draw(np.random.default_rng(seed), HEIGHT, WIDTH) for seed in range(COUNT)]
    alone = [drawn for drawn in draws if not drawn.needs_partner]
    assert 0 < len(alone) < COUNT
    shown = picture(HEIGHT, WIDTH)
    np.testing.assert_array_equal(views.apply(shown, None, alone[0]).picture, shown)
    pictures = views.apply_batch(to_tensor([shown] * COUNT), to_tensor([255 - shown] * COUNT), draws).pictures
    for drawn, view in zip(draws, pictures, strict=True):
        assert torch.equal(view, to_tensor([shown])[0]) != drawn.needs_partner


def test_the_second_face_is_moved_like_the_first() -> None:
    views = Views([Turn(), Scale(), Mixture((0, 0), probability=1)])
    draws = views.draw(np.random.default_rng(0), HEIGHT, WIDTH)
    (first,), (second,) = faces(1)
    moved = Views([Turn(), Scale()])
    alone = moved.apply(second, None, moved.draw(np.random.default_rng(0), HEIGHT, WIDTH))
    np.testing.assert_array_equal(views.apply(first, second, draws).picture, alone.picture)


def test_shares_are_multiplied() -> None:
    views = Views([Mixture((0.5, 0.5), probability=1), Mixture((0.4, 0.4), probability=1)])
    assert views.draw(np.random.default_rng(0), HEIGHT, WIDTH).share == pytest.approx(0.2)


# Bad input.


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        pytest.param([Shift(0.6)], r"shift together may leave 1?\d% of the face", id="shifted out"),
        pytest.param([Scale((1, 4))], "scale together may leave", id="grown out"),
        pytest.param([Turn(180), Scale((1, 1.3)), Shift(0.4)], "turn, scale, shift together", id="a little of each"),
        pytest.param([Elastic(0.5, 0.2)], "elastic together may leave", id="warped out, by few cycles"),
        pytest.param([Shift(0.3), Elastic(0.2, 0.5)], "shift, elastic together", id="shifted and warped"),
        pytest.param([Mirror(), Mirror()], "mirror is there twice", id="twice"),
        pytest.param([lambda picture: picture], "is no part", id="a function"),
    ],
)
def test_views_that_leave_no_face_are_refused(parts: list, message: str) -> None:
    with pytest.raises(UsageError, match=message) as error:
        Views(parts)
    assert "\n" not in str(error.value)


def test_views_of_the_defaults_leave_a_face() -> None:
    assert len(everything().parts) == len(VIEWS)


@pytest.mark.parametrize(
    ("pictures", "count", "message"),
    [
        pytest.param(torch.zeros(2, 8, 8, 3), 2, "must be uint8 or float32", id="channels last"),
        pytest.param(torch.zeros(2, 3, 8, 8, dtype=torch.float16), 2, "must be uint8 or float32", id="halves"),
        pytest.param(np.zeros((2, 3, 8, 8), np.uint8), 2, "must be a tensor", id="an array"),
        pytest.param(torch.zeros(3, 3, 8, 8), 2, "3 pictures need as many draws, got 2", id="too few draws"),
    ],
)
def test_what_is_no_batch_is_refused(pictures: object, count: int, message: str) -> None:
    views = Views([Turn()])
    with pytest.raises(UsageError, match=message):
        views.apply_batch(pictures, None, [views.draw(np.random.default_rng(0), 8, 8)] * count)


def test_a_view_of_another_size_is_refused() -> None:
    views = Views([Turn()])
    draws = views.draw(np.random.default_rng(0), 8, 9)
    for apply in (
        lambda: views.apply(picture(9, 8), None, draws),
        lambda: views.apply_batch(torch.zeros(1, 3, 9, 8), None, [draws]),
    ):
        with pytest.raises(UsageError, match=r"drawn for 8x9 \(height x width\) cannot be of 9x8"):
            apply()


def test_what_is_no_picture_is_refused() -> None:
    views = Views([Turn()])
    with pytest.raises(UsageError, match="a crop must be uint8"):
        views.apply(np.zeros((8, 8, 3)), None, views.draw(np.random.default_rng(0), 8, 8))


@pytest.mark.parametrize(
    ("matrix", "height", "message"),
    [
        pytest.param(np.eye(2), 8, r"must be \[2, 3\] or \[3, 3\]", id="no shift"),
        pytest.param(np.zeros((2, 3)), 8, "must have an inverse", id="shrunk to a point"),
        pytest.param(np.full((2, 3), np.nan), 8, "must have an inverse", id="no numbers"),
        pytest.param(np.eye(3), 0, "must have pixels", id="no rows"),
    ],
)
def test_crops_that_are_none_are_refused(matrix: np.ndarray, height: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Cut.of(matrix, height, 8)


def test_a_patch_that_lies_outside_costs_no_share() -> None:
    views = Views([Patches((0.4, 0.4), probability=1)])
    shares = [views.draw(np.random.default_rng(seed), HEIGHT, WIDTH).share for seed in range(200)]
    assert min(shares) == pytest.approx(0.6, abs=0.01)
    assert max(shares) > 0.75
