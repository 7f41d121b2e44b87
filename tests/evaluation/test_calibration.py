"""Thresholds and probabilities by resolution against brute force."""

import json
from dataclasses import asdict
from functools import partial

import numpy as np
import pytest
from tests.conftest import draw_toy_people

from facedistill.datasets import Face, FaceList
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation import sweep
from facedistill.evaluation.calibration import OTHER_CAMERAS, as_metadata, calibrate, equalised, grey
from facedistill.evaluation.camera import photograph
from facedistill.model_file import ModelMetadata
from facedistill.variance import degrade, degrade_face

BLOCK = 16


def embed(crops):
    """Block means, the mean grey taken off: enough to separate toy people, but not always."""
    blocks = crops.reshape(len(crops), 112 // BLOCK, BLOCK, 96 // BLOCK, BLOCK, 3).mean(axis=(2, 4))
    return blocks.reshape(len(crops), -1) - 127.5


@pytest.fixture(scope="module")
def faces():
    return draw_toy_people(10, 4, seed=3)


@pytest.fixture(scope="module")
def calibrated(faces):
    return calibrate(embed, faces, (8,), bootstrap=60)


def similarities(faces, condition):
    """Every two pictures' cosine [N, N], by the plainest means."""
    native = np.stack([face.image for face in faces.faces])
    small = np.stack([degrade(image, 8) for image in native])
    probes = native if condition == "native" else small
    gallery = embed(small if condition == "both 8" else native)
    if condition == "matched 8":
        degraded = [embed(np.stack([degrade(image, rows) for image in native])) for rows in (12, 10, 8)]
        gallery = sum(rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in degraded)
    return np.array([[cosine(a, b) for b in gallery] for a in embed(probes)])


def cosine(a, b):
    return float(sum(x * y for x, y in zip(a, b, strict=True)) / np.sqrt((a * a).sum() * (b * b).sum()))


@pytest.mark.parametrize(
    ("condition", "rates", "impostors"),
    [
        pytest.param("native", ["1e-1", "1e-2"], 720, id="unordered pairs"),
        pytest.param("8", ["1e-1", "1e-2", "1e-3"], 1440, id="one degraded: either of two may be the probe"),
        pytest.param("both 8", ["1e-1", "1e-2"], 720, id="both degraded: unordered again"),
        pytest.param("matched 8", ["1e-1", "1e-2", "1e-3"], 1440, id="one degraded, the other brought to it"),
    ],
)
def test_thresholds_hold_their_promise_and_none_below_would(faces, calibrated, condition, rates, impostors):
    found = calibrated[condition]
    assert list(found.thresholds) == rates
    assert found.impostors == impostors
    scores = similarities(faces, condition)[faces.labels[:, None] != faces.labels]
    for fmr, threshold in found.thresholds.items():
        assert np.mean(scores >= threshold + 1e-12) <= float(fmr)
        assert np.mean(scores >= threshold - 1e-9) > float(fmr)


def test_every_resolution_has_three_conditions(calibrated):
    assert list(calibrated) == ["native", "8", "both 8", "matched 8"]


@pytest.mark.parametrize(
    "measure", [calibrate, sweep, partial(sweep, camera=True)], ids=["calibrate", "sweep", "camera"]
)
def test_a_condition_has_the_rows_of_the_face_in_crops_of_another_window(measure):
    """A crop of 150x150 shows .92 of the window: 16 rows of the face are 14.7 of it."""
    faces = draw_toy_people(4, 2, size=(150, 150))
    shown = []
    measure(lambda crops: shown.extend(crops) or crops[:, ::10, ::10].reshape(len(crops), -1) - 127.5, faces, (16,), 0)
    crop = faces[0].image
    expected = degrade_face(crop, 16) if measure in (calibrate, sweep) else photograph(crop, 0, 16, 0)
    assert any(np.array_equal(expected, each) for each in shown)
    assert not any(np.array_equal(degrade(crop, 16), each) for each in shown)


def test_nothing_is_matched_to_native_rows(faces):
    assert list(calibrate(embed, faces, (56,), bootstrap=0)) == ["native", "56", "both 56"]


def test_intervals_are_those_of_explicitly_copied_people(faces, calibrated):
    """Each replicate is spelt out: a pair of people drawn n and m times is listed n * m times."""
    scores, people = similarities(faces, "8"), faces.labels
    found = {"1e-1": [], "1e-2": []}
    for counts in np.random.default_rng(0).multinomial(10, np.full(10, 0.1), size=60):
        times = np.outer(counts, counts)[people[:, None], people] * (people[:, None] != people)
        listed = np.sort(np.repeat(scores.ravel(), times.ravel()))[::-1]
        for fmr, values in found.items():
            values.append(listed[int(np.floor(float(fmr) * len(listed) + 1e-9))])  # the first that is too many
    for fmr, values in found.items():
        np.testing.assert_allclose(calibrated["8"].intervals[fmr], np.percentile(values, (2.5, 97.5)), atol=1e-9)


def test_intervals_hold_the_thresholds_and_vanish_without_resamples(faces, calibrated):
    for found in calibrated.values():
        for fmr, (low, high) in found.intervals.items():
            assert low <= found.thresholds[fmr] <= high
    assert calibrate(embed, faces, (), bootstrap=0)["native"].intervals == {}


def test_the_model_file_takes_it_and_gives_it_back(calibrated):
    metadata = ModelMetadata("toy", (112, 96), 126, **as_metadata(calibrated))
    assert ModelMetadata.from_map(metadata.to_map(), "toy.onnx") == metadata
    result = metadata.reliability["8"]
    assert set(result) == {"ece", "bins", "genuine", "impostors"}
    assert (result["genuine"], result["impostors"]) == (120, 1440)
    assert json.loads(json.dumps(asdict(metadata)))["probability"]["8"].keys() == {"slope", "offset"}


def test_people_are_separated_better_when_they_are_well_seen(calibrated):
    assert calibrated["native"].probability.slope > 0
    assert 0 <= calibrated["native"].reliability.ece < 0.2


@pytest.mark.parametrize(
    ("people", "pictures", "broken", "error", "message"),
    [
        pytest.param(1, 8, embed, FacedistillError, "0 impostor", id="one person"),
        pytest.param(8, 1, embed, FacedistillError, "0 genuine", id="nobody twice"),
        pytest.param(3, 4, embed, FacedistillError, "four people", id="too few to hold some out"),
        pytest.param(4, 2, lambda c: np.full((len(c), 3), np.nan), FacedistillError, "NaN", id="NaN embeddings"),
        pytest.param(4, 2, lambda c: np.zeros((len(c), 3)), FacedistillError, "zero", id="zero embeddings"),
    ],
)
def test_what_cannot_be_calibrated_is_one_line(people, pictures, broken, error, message):
    with pytest.raises(error, match=message) as result:
        calibrate(broken, draw_toy_people(people, pictures), (8,), bootstrap=2)
    assert "\n" not in str(result.value)


def test_a_negative_number_of_resamples_is_refused(faces):
    with pytest.raises(UsageError, match="bootstrap must be a whole number from 0"):
        calibrate(embed, faces, (8,), bootstrap=-1)


def changed(faces, camera):
    return FaceList(Face(camera(face.image), face.label, face.key) for face in faces.faces)


def test_pairs_of_several_cameras_are_pooled_and_never_cross(faces):
    """The threshold is that of both cameras' impostor pairs together, each camera's listed by the plainest means."""
    found = calibrate(embed, faces, (), bootstrap=0, cameras=OTHER_CAMERAS)["native"]
    scores = []
    for camera in OTHER_CAMERAS:
        table = similarities(changed(faces, camera), "native")
        scores += [table[i, j] for i in range(40) for j in range(i) if faces.labels[i] != faces.labels[j]]
    assert (found.genuine, found.impostors) == (120, 1440)
    for fmr, threshold in found.thresholds.items():
        assert np.mean(np.array(scores) >= threshold + 1e-12) <= float(fmr)
        assert np.mean(np.array(scores) >= threshold - 1e-9) > float(fmr)


def test_one_camera_is_a_face_set_of_its_pictures(faces):
    assert calibrate(embed, faces, (8,), 20, cameras=(grey,)) == calibrate(embed, changed(faces, grey), (8,), 20)


def test_an_equalising_camera_spreads_a_flat_picture_and_stays_grey():
    flat = np.random.default_rng(0).integers(100, 120, (112, 96, 3), dtype=np.uint8)
    shown = equalised(flat)
    assert np.ptp(shown.astype(int)) > 2 * np.ptp(grey(flat).astype(int))
    assert (shown == shown[..., :1]).all()
