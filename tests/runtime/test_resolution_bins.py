"""Thresholds by resolution: a small face in a photo is compared with the threshold of small faces."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.block_means import write_block_means

from facedistill.datasets import load_orl
from facedistill.errors import FacedistillError, UsageError
from facedistill.faces import crop_convention
from facedistill.model_file import Logistic, ModelMetadata
from facedistill.runtime import Recognizer, window_rows
from facedistill.runtime.conditions import condition_of

CONDITIONS = ["native", "30", "20", "16", "12", "8"]
THRESHOLDS = {name: {"1e-1": 0.1 * number, "1e-3": 0.1 * number + 0.05} for number, name in enumerate(CONDITIONS)}
BOTH = {f"both {name}": {"1e-3": 0.9 + 0.01 * number} for number, name in enumerate(CONDITIONS[1:])}
MATCHED = [*CONDITIONS, *BOTH, *(f"matched {name}" for name in CONDITIONS[1:])]
PROBABILITY = {name: Logistic(4.0, -number) for number, name in enumerate([*CONDITIONS, *BOTH])}


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    write_block_means(path, ModelMetadata("tiny", (112, 96), 504, THRESHOLDS | BOTH, probability=PROBABILITY))
    return Recognizer(path, min_face=12)


@pytest.fixture(scope="module")
def photos():
    """A face and another, as a camera sees them: in a room, at a hundred rows."""
    faces = load_orl()
    return [np.pad(faces[index].image, ((40, 40), (40, 40), (0, 0)), mode="edge") for index in (0, 200)]


def shrunk(photo, rows):
    """The photo with a face that has about so many rows instead of about a hundred."""
    return cv2.resize(photo, None, fx=rows / 100, fy=rows / 100, interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("rows", [8, 40, 112, 300.5])
@pytest.mark.parametrize("angle", [0, 0.3])
def test_rows_are_those_of_the_window_however_it_lies(rows, angle):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for size in ((112, 96), (112, 112)):
        landmarks = crop_convention(size).template @ turn.T * rows / 112 + [31, -7]
        assert window_rows(landmarks) == pytest.approx(rows)


@pytest.mark.parametrize(
    ("rows", "resolution"),
    [
        pytest.param(100, "native", id="large"),
        pytest.param(40, "30", id="40 rows: the nearest at or below"),
        pytest.param(25, "20", id="25 rows"),
    ],
)
def test_a_small_face_takes_the_small_bin(recognizer, photos, rows, resolution):
    large, other = photos
    for pair in ((shrunk(other, rows), large), (large, shrunk(other, rows))):
        answer = recognizer.verify(*pair)
        assert answer.resolution == resolution
        assert answer.threshold == THRESHOLDS[resolution]["1e-3"]
        assert answer.probability == pytest.approx(PROBABILITY[resolution](answer.similarity))


def test_two_small_faces_are_judged_as_two_small_faces(recognizer, photos):
    answer = recognizer.verify(shrunk(photos[0], 40), shrunk(photos[1], 25))
    assert (answer.resolution, answer.threshold) == ("both 20", BOTH["both 20"]["1e-3"])


@pytest.mark.parametrize(
    ("known", "rows", "resolution"),
    [
        pytest.param(CONDITIONS, (56, 400), "native", id="half a crop is native"),
        pytest.param(CONDITIONS, (55.9, 400), "30", id="just below it is not"),
        pytest.param(CONDITIONS, (30, 400), "30", id="exactly a bin"),
        pytest.param(CONDITIONS, (29.9, 400), "20", id="just below a bin"),
        pytest.param(CONDITIONS, (400, 8), "8", id="the smallest bin, the other way round"),
        pytest.param(CONDITIONS, (3, 400), "8", id="smaller than all: the smallest"),
        pytest.param(CONDITIONS, (20, 20), "20", id="two small faces, a file without their thresholds"),
        pytest.param(["native"], (8, 400), "native", id="a file with one bin alone"),
        pytest.param(["native", "8"], (40, 400), "8", id="a file with few bins"),
        pytest.param(["16"], (400, 400), "16", id="a file without native"),
        pytest.param([*CONDITIONS, *BOTH], (20, 56), "20", id="the other face is native by a hair"),
        pytest.param([*CONDITIONS, *BOTH], (20, 55), "both 20", id="the other face is small by a hair"),
        pytest.param([*CONDITIONS, *BOTH], (3, 3), "both 8", id="two tiny ones"),
        pytest.param(["native", "80"], (400, 400), "native", id="a bin above native's rows is none of verify's"),
        pytest.param(MATCHED, (56, 400), "native", id="matched: both are native"),
        pytest.param(MATCHED, (55, 400), "matched 30", id="matched: just below native"),
        pytest.param(MATCHED, (30, 400), "matched 30", id="matched: exactly a bin"),
        pytest.param(MATCHED, (29.9, 400), "matched 20", id="matched: just below a bin"),
        pytest.param(MATCHED, (3, 400), "matched 8", id="matched: smaller than all"),
        pytest.param(MATCHED, (50, 70), "both 30", id="matched: near and smaller than native are two small ones"),
        pytest.param(MATCHED, (16, 24), "both 16", id="matched: near, both small"),
        pytest.param(MATCHED, (16, 25), "matched 16", id="matched: both small, not near"),
        pytest.param([*CONDITIONS, "matched 20"], (9, 400), "matched 20", id="matched: a file with one bin alone"),
        pytest.param([*CONDITIONS, "matched 20"], (9, 9), "8", id="matched: a file without two small ones"),
    ],
)
def test_the_rule_of_the_bins(known, rows, resolution):
    assert condition_of(known, *rows) == condition_of(known, *rows[::-1]) == resolution


def test_a_condition_without_supported_rates_is_passed_over(tmp_path, photos):
    def condition(thresholds):
        path = write_block_means(tmp_path / "model.onnx", ModelMetadata("tiny", (112, 96), 504, thresholds))
        return Recognizer(path, min_face=12).verify(photos[0], shrunk(photos[1], 25)).resolution

    assert condition({"native": {"1e-1": 0.5}, "20": {}, "8": {"1e-1": 0.5}}) == "8"
    assert condition({"native": {"1e-1": 0.5}, "20": {"1e-1": 0.5}, "matched 20": {}}) == "20"
    with pytest.raises(FacedistillError, match="no thresholds"):
        condition({"native": {}, "matched 20": {"1e-1": 0.5}})


@settings(max_examples=100, deadline=None)
@given(st.floats(0, 1e6), st.floats(-1e6, 1e6), st.lists(st.floats(-1, 1), min_size=2, max_size=10))
def test_probability_rises_with_similarity_and_stays_one(slope, offset, similarities):
    probabilities = [Logistic(slope, offset)(similarity) for similarity in sorted(similarities)]
    assert probabilities == sorted(probabilities)
    assert probabilities[0] >= 0
    assert probabilities[-1] <= 1


def test_a_caller_with_crops_says_the_resolution(recognizer):
    answer = recognizer.decide(0.47, "12", fmr=1e-3)
    assert (answer.same, answer.threshold, answer.resolution) == (True, THRESHOLDS["12"]["1e-3"], "12")
    assert not recognizer.decide(0.47, "8", fmr=1e-3).same
    with pytest.raises(UsageError, match=r"'24'.*native"):
        recognizer.decide(0.47, "24")
