"""Each part of a view against its formula, and what it refuses."""

import numpy as np
import pytest
from tests.variance.crops import picture

from facedistill.errors import UsageError
from facedistill.views import VIEWS, Context, Cut, Frequencies, Occluder, Patches, Views, build_view
from facedistill.views.occluder import Occlusion
from facedistill.views.shapes import Shape

HEIGHT, WIDTH = 60, 56
FIRST, SECOND = picture(HEIGHT, WIDTH, 1), picture(HEIGHT, WIDTH, 2)


def shown_and_drawn(name: str, **options: object) -> tuple[np.ndarray, object]:
    views = Views([build_view(name, **options)])
    draws = views.draw(np.random.default_rng(5), HEIGHT, WIDTH)
    return views.apply(FIRST, SECOND, draws).picture, draws.parts[0]


@pytest.mark.parametrize(
    ("name", "options", "formula"),
    [
        pytest.param("gamma", {}, lambda v, w, g: 255 * (v / 255) ** g, id="gamma"),
        pytest.param("contrast", {}, lambda v, w, c: c * (v - 127.5) + 127.5, id="contrast"),
        pytest.param("brightness", {}, lambda v, w, b: v + b, id="brightness"),
        pytest.param("channels", {}, lambda v, w, f: v * f, id="channels"),
        pytest.param(
            "grey", {"probability": 1}, lambda v, w, _: (v @ [0.299, 0.587, 0.114])[..., None] * [1, 1, 1], id="grey"
        ),
        pytest.param("mixture", {"probability": 1}, lambda v, w, s: s * v + (1 - s) * w, id="mixture"),
        pytest.param(
            "mixture",
            {"probability": 1, "share_range": (1.5, 1.5)},
            lambda v, w, s: 1.5 * v - 0.5 * w,
            id="extrapolated mixture",
        ),
    ],
)
def test_levels_are_their_formula(name: str, options: dict, formula: object) -> None:
    shown, drawn = shown_and_drawn(name, **options)
    expected = formula(FIRST.astype(np.float64), SECOND.astype(np.float64), drawn).clip(0, 255)
    assert np.abs(shown - expected).max() <= 0.501


@pytest.mark.parametrize(
    ("name", "options", "least", "most"),
    [
        pytest.param("gamma", {"spread": 0.35}, np.exp(-0.35), np.exp(0.35), id="gamma"),
        pytest.param("contrast", {"spread": 0.3}, np.exp(-0.3), np.exp(0.3), id="contrast"),
        pytest.param("brightness", {"levels": 30}, -30, 30, id="brightness"),
        pytest.param("channels", {"factor": (0.8, 1.25)}, 0.8, 1.25, id="channels"),
        pytest.param("mixture", {"share_range": (0.3, 1.5), "probability": 1}, 0.3, 1.5, id="mixture"),
    ],
)
def test_draws_fill_their_range(name: str, options: dict, least: float, most: float) -> None:
    part, rng = build_view(name, **options), np.random.default_rng(0)
    drawn = np.array([part.draw(rng, HEIGHT, WIDTH) for _ in range(400)])
    assert least <= drawn.min() < least + 0.05 * (most - least)
    assert most - 0.05 * (most - least) < drawn.max() <= most


@pytest.mark.parametrize(
    ("name", "options", "of_matrix", "least", "most"),
    [
        pytest.param("turn", {"degrees": 8}, lambda m: np.rad2deg(np.arctan2(m[0, 1], m[0, 0])), -8, 8, id="turn"),
        pytest.param("scale", {"factor": (0.92, 1.08)}, lambda m: m[0, 0], 0.92, 1.08, id="scale"),
        pytest.param("aspect", {"ratio": (0.93, 1.07)}, lambda m: m[0, 0] / m[1, 1], 0.93, 1.07, id="aspect"),
        pytest.param("aspect", {}, lambda m: np.linalg.det(m), 1, 1, id="aspect keeps the area"),
        pytest.param("shift", {"share": 0.06}, lambda m: m[0, 2] / WIDTH, -0.06, 0.06, id="shift in x"),
        pytest.param("shift", {"share": 0.06}, lambda m: m[1, 2] / HEIGHT, -0.06, 0.06, id="shift in y"),
    ],
)
def test_geometry_fills_its_range(name: str, options: dict, of_matrix: object, least: float, most: float) -> None:
    part, rng = build_view(name, **options), np.random.default_rng(0)
    drawn = np.array([of_matrix(part.draw(rng, HEIGHT, WIDTH)) for _ in range(400)])
    slack = 0.05 * (most - least) + 1e-9
    assert least - 1e-9 <= drawn.min() <= least + slack
    assert most - slack <= drawn.max() <= most + 1e-9


@pytest.mark.parametrize("name", ["turn", "scale", "aspect"])
def test_the_middle_stays(name: str) -> None:
    middle = [(WIDTH - 1) / 2, (HEIGHT - 1) / 2, 1]
    np.testing.assert_allclose(build_view(name).draw(np.random.default_rng(0), HEIGHT, WIDTH) @ middle, middle)


@pytest.mark.parametrize("name", [name for name in VIEWS if hasattr(build_view(name), "probability")])
def test_a_probability_is_the_share_that_changes(name: str) -> None:
    rng, count = np.random.default_rng(2), 400
    for probability in (0.0, 0.3, 1.0):
        part = build_view(name, probability=probability)
        share = sum(part.draw(rng, HEIGHT, WIDTH) is not None for _ in range(count)) / count
        assert abs(share - probability) <= 4 * np.sqrt(probability * (1 - probability) / count)


def test_a_patch_is_a_box_of_the_second_face() -> None:
    views = Views([Patches(probability=1)])
    for seed in range(10):
        draws = views.draw(np.random.default_rng(seed), HEIGHT, WIDTH)
        shown, box = views.apply(FIRST, SECOND, draws).picture, draws.parts[0]
        x, y = (np.arange(WIDTH) + 0.5) / WIDTH, (np.arange(HEIGHT) + 0.5) / HEIGHT
        # Half a pixel of edge is a blend.
        inside_x, inside_y = np.abs(x - box.x) * WIDTH, np.abs(y - box.y) * HEIGHT
        half_x, half_y = box.width * WIDTH / 2, box.height * HEIGHT / 2
        inside = np.outer(inside_y <= half_y - 0.5, inside_x <= half_x - 0.5)
        outside = ~np.outer(inside_y < half_y + 0.5, inside_x < half_x + 0.5)
        np.testing.assert_array_equal(shown[inside], SECOND[inside])
        np.testing.assert_array_equal(shown[outside], FIRST[outside])
        assert draws.share == pytest.approx(1 - inside.mean(), abs=0.06)


@pytest.mark.parametrize("ellipse", [False, True])
def test_an_occluder_is_one_colour(ellipse: bool) -> None:
    part = Occluder()
    colour = np.float32([10, 20, 30])
    shape = Shape(0.5, 0.5, 0.6, 0.3, ellipse)
    context = Context(None, Cut.whole(HEIGHT, WIDTH), HEIGHT, WIDTH)
    shown = part.change(FIRST.astype(np.float32), Occlusion(shape, colour), context)
    covered = (np.abs(shown - colour) < 1e-3).all(axis=2)
    assert covered.mean() == pytest.approx(0.18 * (np.pi / 4 if ellipse else 1), abs=0.03)
    assert covered[HEIGHT // 2, WIDTH // 2]
    assert not covered[0, 0]


def test_frequencies_are_parted_by_a_gaussian() -> None:
    """Of a flat face and a fine pattern, each hybrid has the mean of the one that gives the low frequencies."""
    fine = np.indices((HEIGHT, WIDTH)).sum(axis=0)[..., None] % 2 * np.full(3, 60, np.uint8) + 100
    flat = np.full((HEIGHT, WIDTH, 3), 40)
    views = Views([Frequencies((0.05, 0.05), probability=1)])
    seen = set()
    for seed in range(8):
        draws = views.draw(np.random.default_rng(seed), HEIGHT, WIDTH)
        shown = views.apply(flat.astype(np.uint8), fine.astype(np.uint8), draws).picture.astype(int)
        low = draws.parts[0].low
        expected = flat + fine - 130 if low else np.full_like(flat, 130)
        assert np.abs(shown - expected.clip(0, 255)).max() <= 8  # the border has half of a Gaussian
        assert np.abs(shown - expected.clip(0, 255))[10:-10, 10:-10].max() <= 1
        seen.add(low)
    assert seen == {False, True}


NAN = float("nan")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        pytest.param("mirror", {"probability": 1.1}, "probability must be", id="more than all"),
        pytest.param("turn", {"degrees": -1}, "degrees must be", id="a negative turn"),
        pytest.param("turn", {"degrees": NAN}, "degrees must be", id="no number"),
        pytest.param("scale", {"factor": (0, 1)}, "factor must be", id="shrunk to a point"),
        pytest.param("scale", {"factor": 0.9}, "a pair", id="one factor"),
        pytest.param("aspect", {"ratio": (2, 1)}, "a pair", id="the most below the least"),
        pytest.param("shift", {"share": 1.5}, "share must be", id="beyond the picture"),
        pytest.param("elastic", {"strength": 0.2}, "may fold the face; strength must be at most 0.05", id="folds"),
        pytest.param("elastic", {"cycles": 8}, "may fold the face; strength must be at most 0.01", id="ripples"),
        pytest.param("mixture", {"share_range": (-1, 1)}, "share_range must be", id="a negative share"),
        pytest.param("patches", {"area": (0.5, 1)}, "area must be", id="all of another face"),
        pytest.param("frequencies", {"sigma": (0, 0.1)}, "sigma must be", id="nothing to part"),
        pytest.param("gamma", {"spread": 2}, "spread must be", id="black or white"),
        pytest.param("contrast", {"spread": "much"}, "spread must be", id="a text"),
        pytest.param("brightness", {"levels": 200}, "levels must be", id="black or white"),
        pytest.param("channels", {"factor": (0, 1)}, "factor must be", id="no light"),
        pytest.param("grey", {"probability": None}, "probability must be", id="nothing"),
        pytest.param("occluder", {"area": (0.1, 0.9)}, "area must be", id="a covered face"),
    ],
)
def test_bad_options_are_refused(name: str, options: dict, message: str) -> None:
    with pytest.raises(UsageError) as error:
        build_view(name, **options)
    assert str(error.value).startswith(f"{name}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_names_and_bases_are_checked() -> None:
    with pytest.raises(UsageError, match="no view is called 'mirorr'; did you mean 'mirror'"):
        build_view("mirorr")
    with pytest.raises(UsageError, match="has no option 'angle'"):
        build_view("turn", angle=3)
    with pytest.raises(UsageError, match="derive it from"):
        build_view("collections:OrderedDict")


def test_lists_of_a_recipe_stand_for_tuples() -> None:
    assert build_view("scale", factor=[0.9, 1.1]) == build_view("scale", factor=(0.9, 1.1))
