"""Comparing at the same resolution: the sharper face is brought to the rows of the other before it is embedded."""

import json
import subprocess
import sys

import cv2
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.block_means import write_block_means

from facedistill.datasets import load_orl
from facedistill.errors import FacedistillError, UsageError
from facedistill.faces import align
from facedistill.model_file import METADATA_KEY, Logistic, ModelMetadata
from facedistill.runtime import Recognizer, Templates
from facedistill.variance import degrade_face, matching, rungs_of

RESOLUTIONS = ["30", "20", "16", "12", "8"]
NAMES = [
    "native",
    *RESOLUTIONS,
    *(f"both {rows}" for rows in RESOLUTIONS),
    *(f"matched {rows}" for rows in RESOLUTIONS),
]
THRESHOLDS = {name: {"1e-2": 0.5 + number / 100} for number, name in enumerate(NAMES)}


def write_model(path, thresholds=THRESHOLDS, size=(112, 96)):
    probability = {name: Logistic(5.0, -number) for number, name in enumerate(thresholds)}
    length = 3 * (size[0] // 8) * (size[1] // 8)
    return write_block_means(path, ModelMetadata("tiny", size, length, thresholds, probability=probability))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture(scope="module")
def recognizer(model):
    return Recognizer(model, min_face=12)


@pytest.fixture(scope="module")
def photos():
    """Two pictures of one person and one of another, in a room, each face of about a hundred rows."""
    faces = load_orl()
    return [np.pad(faces[index].image, ((40, 40), (40, 40), (0, 0)), mode="edge") for index in (0, 4, 200)]


def shrunk(photo, rows):
    return cv2.resize(photo, None, fx=rows / 100, fy=rows / 100, interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize(
    ("rows", "other", "conditions"),
    [
        pytest.param(400, 16, ("24", "20", "16"), id="a rung, and the next two sharper"),
        pytest.param(400, 8, ("12", "10", "8"), id="the smallest"),
        pytest.param(400, 3, ("12", "10", "8"), id="smaller than all rungs"),
        pytest.param(400, 17.8, ("24", "20", "16"), id="nearer to 16 by its ratio"),
        pytest.param(400, 18, ("30", "24", "20"), id="nearer to 20 by its ratio"),
        pytest.param(400, 40, ("native", "44"), id="few are sharper: the face as it is among them"),
        pytest.param(400, 55.9, ("native", "44"), id="smaller than native by a hair"),
        pytest.param(400, 56, ("native",), id="both are native"),
        pytest.param(70, 50, ("native",), id="near"),
        pytest.param(24, 16, ("native",), id="near by a hair"),
        pytest.param(24.1, 16, ("native", "16"), id="not near by a hair: the rungs well below its own rows alone"),
        pytest.param(12, 7.9, ("native", "8"), id="small ones, not near"),
        pytest.param(11, 5, ("native",), id="too small for any rung"),
        pytest.param(16, 400, ("native",), id="the smaller one stays as it is"),
        pytest.param(16, 16, ("native",), id="equally small"),
    ],
)
def test_what_the_sharper_face_is_brought_to(rows, other, conditions):
    assert matching(rows, other) == conditions


@settings(max_examples=200, deadline=None)
@given(st.floats(1, 1000), st.floats(1, 1000))
def test_only_one_side_is_degraded_and_never_beyond_the_templates_it_has(rows, other):
    ours, theirs = matching(rows, other), matching(other, rows)
    assert ("native",) in (ours, theirs)
    assert set(ours) <= {"native", *map(str, rungs_of(rows))}
    assert 1 <= len(ours) <= 3


@pytest.mark.parametrize(
    ("rows", "condition"),
    [
        pytest.param(100, "native", id="large"),
        pytest.param(40, "matched 30", id="40 rows: the nearest at or below"),
        pytest.param(25, "matched 20", id="25 rows"),
    ],
)
def test_a_small_face_is_judged_as_matched(recognizer, photos, rows, condition):
    for pair in ((shrunk(photos[2], rows), photos[0]), (photos[0], shrunk(photos[2], rows))):
        answer = recognizer.verify(*pair)
        assert (answer.resolution, answer.threshold) == (condition, THRESHOLDS[condition]["1e-2"])
        assert answer.probability == pytest.approx(Logistic(5.0, -NAMES.index(condition))(answer.similarity))
        assert sorted(answer.rows) == pytest.approx([rows, 100], rel=0.15)
    assert recognizer.verify(shrunk(photos[0], 25), shrunk(photos[1], 25)).resolution == "both 20"


def embed_by_hand(recognizer, photo, *resolutions):
    """The mean over resolutions of a photo's face, step by step."""
    (face,) = recognizer.detect(photo)
    crop = align(photo, face.landmarks, recognizer.metadata.crop_size)
    crops = [crop if rows is None else degrade_face(crop, rows) for rows in resolutions]
    mean = sum(recognizer.embed(each[None])[0] for each in crops)
    return mean / np.linalg.norm(mean)


@pytest.mark.parametrize(
    ("rows", "rungs"),
    [
        pytest.param(100, (None,), id="both are native"),
        pytest.param(40, (None, 44), id="47 rows"),
        pytest.param(30, (None, 44, 30), id="35 rows"),
        pytest.param(20, (44, 30, 24), id="23 rows"),
        pytest.param(14, (24, 20, 16), id="18 rows"),
    ],
)
@pytest.mark.parametrize("size", [(112, 96), (128, 112), (150, 150)], ids=str)
def test_similarities_are_those_of_the_mean_of_the_degraded_faces(tmp_path, photos, rows, rungs, size):
    recognizer = Recognizer(write_model(tmp_path / "tiny.onnx", size=size), min_face=12)
    small = shrunk(photos[1], rows)
    expected = embed_by_hand(recognizer, photos[0], *rungs) @ embed_by_hand(recognizer, small, None)
    assert recognizer.verify(photos[0], small).similarity == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("rows", [100, 60, 40, 25, 16])
def test_compare_equals_verify_whichever_is_enrolled(recognizer, photos, rows):
    one, other = photos[0], shrunk(photos[2], rows)
    verified = recognizer.verify(one, other)
    for enrolled, probe, order in ((one, other, 1), (other, one, -1)):
        answer = recognizer.compare(recognizer.templates(enrolled), probe)
        assert answer.similarity == pytest.approx(verified.similarity, abs=1e-5)
        assert (answer.resolution, answer.threshold) == (verified.resolution, verified.threshold)
        assert answer.rows == verified.rows[::order]


@pytest.mark.parametrize("rows", [100, 40, 25])
def test_equal_pictures_have_similarity_1(recognizer, photos, rows):
    for photo in photos:
        small = shrunk(photo, rows)
        assert recognizer.verify(small, small).similarity == pytest.approx(1, abs=1e-5)
        assert recognizer.compare(recognizer.templates(small), small).similarity == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("rows", "conditions"),
    [
        pytest.param(100, ["native", "44", "30", "24", "20", "16", "12", "10", "8"], id="a native face has all"),
        pytest.param(36, ["native", "24", "20", "16", "12", "10", "8"], id="none that is near its own rows or above"),
        pytest.param(16, ["native", "10", "8"], id="a small face has the smallest alone"),
    ],
)
def test_templates_are_made_in_one_batch(recognizer, photos, monkeypatch, rows, conditions):
    batches, run = [], recognizer._session.run
    session = type("Session", (), {"get_inputs": recognizer._session.get_inputs})()
    session.run = lambda outputs, inputs: batches.append(len(*inputs.values())) or run(outputs, inputs)
    monkeypatch.setattr(recognizer, "_session", session)
    templates = recognizer.templates(shrunk(photos[0], rows))
    assert list(templates.embeddings) == conditions
    assert batches == [len(conditions)]
    assert templates.rows == pytest.approx(rows, rel=0.15)
    for embedding in templates.embeddings.values():
        assert embedding.shape == (504,)
        assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("rows", "people", "threshold", "same"),
    [
        pytest.param(12, (0, 1), 0.807, (False, True), id="one person at 14 rows"),
        pytest.param(14, (0, 0), 0.915, (False, True), id="one picture at 16 rows"),
        pytest.param(12, (0, 2), 0.5, (False, False), id="two people at 13 rows"),
        pytest.param(60, (0, 1), 0.6, (True, True), id="native: as before"),
        pytest.param(60, (0, 1), 0.7, (False, False), id="native: as before, above the similarity"),
    ],
)
def test_where_matching_changes_the_answer(tmp_path, photos, rows, people, threshold, same):
    one, other = photos[people[0]], shrunk(photos[people[1]], rows)
    known = {name: {"1e-2": threshold} for name in NAMES}
    plain = {name: rates for name, rates in known.items() if not name.startswith("matched")}
    files = [write_model(tmp_path / f"{len(each)}.onnx", each) for each in (plain, known)]
    assert tuple(Recognizer(path, min_face=12).verify(one, other).same for path in files) == same


OLD_FILE = {  # as the first model files had it
    "name": "old",
    "crop_size": [112, 96],
    "embedding_size": 504,
    "thresholds": {
        "native": {"1e-1": 0.1, "1e-2": 0.2},
        "20": {"1e-1": 0.3, "1e-2": 0.4},
        "both 20": {"1e-1": 0.5, "1e-2": 0.6},
    },
    "threshold_intervals": {"native": {"1e-1": [0.05, 0.15]}},
    "probability": {"native": {"slope": 9.0, "offset": -3.0}, "20": {"slope": 7.0, "offset": -2.0}},
    "reliability": {"native": {"ece": 0.01, "bins": []}},
    "calibration": "on 240 pictures of 20 people of synth that were not trained on",
    "data_digest": "aa",
    "recipe_digest": "bb",
    "licence": "",
}


@pytest.mark.parametrize(
    ("rows", "condition"),
    [
        pytest.param((100, 100), "native", id="native"),
        pytest.param((100, 25), "20", id="one small: as they are, by the condition of one native face"),
        pytest.param((25, 25), "both 20", id="both small"),
    ],
)
def test_a_model_file_of_before_compares_faces_as_they_are(tmp_path, photos, rows, condition):
    path = write_block_means(tmp_path / "old.onnx", ModelMetadata("x", (112, 96), 504))
    graph = onnx.load(path)
    onnx.helper.set_model_props(graph, {METADATA_KEY: json.dumps(OLD_FILE)})
    onnx.save(graph, path)
    recognizer = Recognizer(path, min_face=12)
    one, other = (shrunk(photo, size) for photo, size in zip(photos, rows, strict=False))
    expected = float(embed_by_hand(recognizer, one, None) @ embed_by_hand(recognizer, other, None))
    for answer in (recognizer.verify(one, other, 1e-2), recognizer.compare(recognizer.templates(one), other, 1e-2)):
        assert answer.similarity == pytest.approx(expected, abs=1e-5)
        assert (answer.resolution, answer.threshold) == (condition, OLD_FILE["thresholds"][condition]["1e-2"])


def test_templates_of_another_model_are_refused(recognizer, photos):
    with pytest.raises(UsageError, match=r"16.*504.*anew"):
        recognizer.compare(Templates({"native": np.ones(16, np.float32) / 4}, 100.0), photos[0])


def test_without_thresholds_templates_are_made_and_compared_with_nobody(tmp_path, photos):
    bare = Recognizer(write_model(tmp_path / "bare.onnx", {}))
    templates = bare.templates(photos[0])
    with pytest.raises(FacedistillError, match="no thresholds"):
        bare.compare(templates, photos[1])


def test_verifying_loads_no_torch(model, photos, tmp_path):
    for number, photo in enumerate((photos[0], shrunk(photos[1], 25))):
        cv2.imwrite(str(tmp_path / f"{number}.png"), photo[..., ::-1])
    code = (
        "import sys; from facedistill.runtime import Recognizer; recognizer = Recognizer(sys.argv[1]);"
        "print(recognizer.verify(*sys.argv[2:]).resolution, 'torch' in sys.modules)"
    )
    photos = [str(tmp_path / f"{number}.png") for number in (0, 1)]
    done = subprocess.run([sys.executable, "-c", code, str(model), *photos], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["matched", "20", "False"]
