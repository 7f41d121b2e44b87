"""The trial of a foreign net: which of the usual preprocessings tells people apart, and what comes of it."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.foreign_nets import foreign, mean_colours, node

from facedistill.errors import FacedistillWarning, UsageError
from facedistill.teachers import load_teacher
from facedistill.teachers.pixels import Pixels
from facedistill.teachers.trial import PEOPLE, PER_PERSON, SIZE, USUAL, trial_faces, try_pixels


def knows(wanted: Pixels, noise: float = 0.02) -> Any:
    """An embedder that knows all people when its pixels are as wanted, and nobody otherwise."""
    rng = np.random.default_rng(0)
    people = np.repeat(rng.normal(size=(PEOPLE, 16)), PER_PERSON, axis=0)

    def embed(crops: NDArray[np.uint8], pixels: Pixels) -> NDArray[np.float32]:
        assert crops.shape == (PEOPLE * PER_PERSON, 112, 96, 3)
        drawn = np.random.default_rng(int(pixels.mean * 7 + pixels.std * 3 + (pixels.channels == "bgr")))
        known = people if pixels == wanted else drawn.normal(size=people.shape)
        return (known + noise * rng.normal(size=people.shape)).astype(np.float32)

    return embed


@pytest.mark.parametrize("scale", USUAL)
@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_the_trial_finds_the_scale(scale, channels) -> None:
    wanted = Pixels(*scale, channels)
    trial = try_pixels(knows(wanted), (112, 96), Pixels(99.0, 3.0, channels), USUAL)
    assert trial.better is not None
    assert trial.better.pixels == trial.best.pixels == wanted
    assert trial.better.eer == 0
    assert 0.3 < trial.assumed.eer < 0.7


def test_the_trial_finds_the_channel_order() -> None:
    trial = try_pixels(knows(Pixels(channels="bgr")), (112, 96), Pixels())
    assert trial.better is not None
    assert trial.better.pixels == Pixels(channels="bgr")


def test_what_is_right_is_left_alone_and_tried_alone() -> None:
    tried = []

    def embed(crops, pixels):
        tried.append(pixels)
        return knows(Pixels())(crops, pixels)

    trial = try_pixels(embed, (112, 96), Pixels(), USUAL)
    assert (trial.better, trial.useless, tried) == (None, False, [Pixels()])


def test_equally_good_ones_keep_the_assumed() -> None:
    def embed(crops: NDArray[np.uint8], pixels: Pixels) -> NDArray[np.float32]:
        return crops.reshape(len(crops), 7, 16, 6, 16, 3).mean(axis=(2, 4)).reshape(len(crops), -1) - np.float32(128)

    trial = try_pixels(embed, (112, 96), Pixels(), USUAL)
    assert trial.better is None
    assert trial.best.pixels == Pixels()


@pytest.mark.parametrize("answer", [np.nan, np.inf, 0.0, 1.0], ids=["NaN", "infinite", "zeros", "always the same"])
def test_answers_that_tell_nothing_are_chance(answer) -> None:
    trial = try_pixels(lambda crops, _: np.full((len(crops), 16), answer, np.float32), (112, 96), Pixels(), USUAL)
    assert trial.useless
    assert trial.assumed.wrong_orders() == 0.5


def test_its_faces_are_as_rendered() -> None:
    faces = trial_faces()
    assert len(faces) == PEOPLE * PER_PERSON
    assert {face.shape for face in faces} == {(*SIZE, 3)}
    assert all(face.std() > 15 for face in faces), "none is empty"


# A real net in a foreign file -------------------------------------------------------------------------------------


def as_slim_m(teacher: Any) -> None:
    crops = np.stack(trial_faces()[:6])
    np.testing.assert_allclose(teacher.embed(crops), load_teacher("slim-m").embed(crops), atol=1e-4)


def test_a_net_that_normalises_inside_gets_raw_pixels(raw, capsys) -> None:
    teacher = load_teacher(raw)
    as_slim_m(teacher)
    assert teacher.normalisation == "RGB, (x - 0) / 1"
    told = capsys.readouterr().err
    assert "raw.onnx: float ['n', 3, 150, 150] as nchw; faces of 150x150; RGB, (x - 0) / 1 (the graph itself" in told
    assert "equal error rate" in told


def test_where_nothing_shows_the_trial_refuses_with_figures_and_the_option(opaque) -> None:
    with pytest.raises(UsageError) as caught:
        load_teacher(opaque)
    assert str(caught.value).startswith(f"teacher {opaque}: with RGB, (x - 127.5) / 127.5 its equal error rate on ")
    assert "; give --mean 0 --std 1 --channels rgb" in str(caught.value)
    as_slim_m(load_teacher(opaque, mean=0.0, std=1.0, channels="rgb"))


def test_what_is_stated_is_done_and_warned_of(opaque, raw) -> None:
    for path in (opaque, raw):
        with pytest.warns(FacedistillWarning, match=r"rate on 72 .* give --mean 0 --std 1 --channels rgb"):
            teacher = load_teacher(path, mean=127.5, std=127.5, channels="rgb")
        assert teacher.normalisation == "RGB, (x - 127.5) / 127.5", "an old recipe's, or the caller's own will"


def test_a_bgr_net_is_right_when_stated(tmp_path) -> None:
    path = foreign(tmp_path / "bgr.onnx", hidden=True, bgr=True)
    as_slim_m(load_teacher(path, mean=0.0, std=1.0, channels="bgr"))


def test_a_net_that_tells_nobody_apart_is_warned_of(tmp_path) -> None:
    blind = mean_colours(
        tmp_path / "blind.onnx", first=[node("Mul", ["x", "k"], ["t"])], constants=[("k", np.float32(0))]
    )
    with pytest.warns(FacedistillWarning, match=r"blind\.onnx tells nobody apart: its equal error rate .* is 50 % at"):
        load_teacher(blind)
