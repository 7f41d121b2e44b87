"""Faces are found where they are, and as a slow float64 cascade finds them."""

import warnings

import cv2
import numpy as np
import pytest
from drawn_faces import draw_face
from mtcnn_reference import ReferenceCascade

from facedistill.errors import UsageError
from facedistill.faces import Detector, find_face
from facedistill.faces import detector as detector_module
from facedistill.faces.choice import find_faces, prominence
from facedistill.faces.detector import Detection
from facedistill.pictures import read_picture


@pytest.fixture(scope="module")
def reference():
    return ReferenceCascade(min_face=20)


def assert_same_faces(got, expected, within=1.0):
    assert len(got) == len(expected)
    for face, (box, score, landmarks) in zip(got, expected, strict=True):
        np.testing.assert_allclose(face.box, box, atol=within)
        np.testing.assert_allclose(face.landmarks, landmarks, atol=within)
        assert face.score == pytest.approx(score, abs=0.01)


@pytest.mark.parametrize("seed", range(12))
def test_drawn_face_as_in_float64(detector, reference, seed):
    image = draw_face(np.random.default_rng(seed))
    assert_same_faces(detector.detect(image), reference(image))


def test_most_drawn_faces_are_found(detector):
    """So that the test above compares faces, not empty lists."""
    assert sum(bool(detector.detect(draw_face(np.random.default_rng(seed)))) for seed in range(12)) >= 10


def test_real_faces_as_in_float64(detector, reference, scene):
    image, centres = scene
    faces = detector.detect(image)
    assert_same_faces(faces, reference(image))
    middles = np.array([face.landmarks.mean(axis=0) for face in faces])
    gaps = np.linalg.norm(middles[:, None] - centres, axis=2)
    assert sorted(gaps.argmin(axis=0)) == [0, 1, 2]
    assert gaps.min(axis=0).max() < 20


def test_landmarks_lie_in_order(detector, scene):
    image, _ = scene
    for face in detector.detect(image):
        left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
        assert left_eye[0] < right_eye[0]
        assert left_mouth[0] < right_mouth[0]
        assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
        assert face.landmarks.dtype == np.float64
        assert 0.7 < face.score <= 1


def test_best_score_first(detector, scene):
    scores = [face.score for face in detector.detect(scene[0])]
    assert scores == sorted(scores, reverse=True)


def test_strips_change_nothing(detector, scene, monkeypatch):
    image, _ = scene
    whole = detector.detect(image)
    monkeypatch.setattr(detector_module, "_STRIP", 1)
    strips = detector.detect(image)
    assert len(strips) == len(whole) == 3
    np.testing.assert_allclose([face.box for face in strips], [face.box for face in whole], atol=1e-3)


def test_larger_min_face_finds_only_larger_faces(orl_faces):
    canvas = np.full((300, 300, 3), 110, np.uint8)
    canvas[20:76, 20:66] = cv2.resize(orl_faces[0], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    assert len(Detector(min_face=20, threads=1).detect(canvas)) == 1
    assert Detector(min_face=90, threads=1).detect(canvas) == []


@pytest.mark.parametrize(
    "shape", [(0, 0), (0, 9), (1, 1), (5, 400), (11, 11), (19, 19), (20, 20), (21, 3000), (37, 41)], ids=str
)
def test_any_size_is_looked_at(detector, shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert detector.detect(image) == []
        assert find_face(detector, image) is None


@pytest.mark.parametrize(
    ("image", "named"),
    [
        pytest.param(np.zeros((50, 50), np.uint8), r"\[50, 50\]", id="grey"),
        pytest.param(np.zeros((50, 50, 4), np.uint8), r"\[50, 50, 4\]", id="with alpha"),
        pytest.param(np.zeros((50, 50, 3), np.float32), "float32", id="floats"),
        pytest.param(np.zeros((1, 50, 50, 3), np.uint8), r"\[1, 50, 50, 3\]", id="a batch"),
    ],
)
def test_wrong_images_are_refused(detector, image, named):
    with pytest.raises(UsageError, match=named):
        detector.detect(image)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"min_face": 11}, id="less than P-Net's window"),
        pytest.param({"thresholds": (0.6, 0.7, 1.2)}, id="a probability above 1"),
        pytest.param({"thresholds": (0.6, 0.7)}, id="two thresholds"),
        pytest.param({"threads": 0}, id="no thread"),
    ],
)
def test_wrong_options_are_refused(options):
    with pytest.raises(UsageError, match=next(iter(options))):
        Detector(**options)


def test_views_and_mirrored_memory_are_fine(detector, scene):
    image, _ = scene
    mirrored = detector.detect(image[:, ::-1])
    copied = detector.detect(image[:, ::-1].copy())
    assert [face.box for face in mirrored] == [face.box for face in copied]


def face_at(x, y, side):
    box = (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    return Detection(box=box, score=0.9, landmarks=np.zeros((5, 2)))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(face_at(100, 100, 60), face_at(100, 100, 50), id="larger, equally central"),
        pytest.param(face_at(100, 100, 50), face_at(40, 100, 50), id="as large, more central"),
        pytest.param(face_at(60, 100, 80), face_at(100, 100, 30), id="much larger, a little aside"),
        pytest.param(face_at(100, 100, 50), face_at(5, 5, 80), id="central against larger in the corner"),
    ],
)
def test_prominence(first, second):
    assert prominence(first, 200, 200) > prominence(second, 200, 200)


def test_prominence_in_numbers():
    assert prominence(face_at(100, 50, 40), 100, 200) == pytest.approx(40)
    assert prominence(face_at(0, 0, 40), 100, 200) == pytest.approx(0)
    assert prominence(face_at(50, 25, 40), 100, 200) == pytest.approx(20)


class PickyDetector:
    """Sees nothing in a small picture, so that it is looked at again; answers in the padded picture's pixels."""

    def __init__(self, face):
        self.face, self.seen = face, []

    def detect(self, image):
        self.seen.append(image.shape[:2])
        return [self.face] if len(self.seen) > 1 else []


def test_second_look_is_mapped_back():
    # 64 x 128 is enlarged four times, to 256 x 512, and gets a border of 128 rows and 256 columns.
    picky = PickyDetector(Detection((256.0, 128.0, 296.0, 168.0), 0.9, np.full((5, 2), 399.5)))
    (face,) = find_faces(picky, np.zeros((64, 128, 3), np.uint8))
    assert picky.seen == [(64, 128), (512, 1024)]
    assert face.box == (0, 0, 10, 10)
    np.testing.assert_allclose(face.landmarks, np.tile([(400 - 256) / 4 - 0.5, (400 - 128) / 4 - 0.5], (5, 1)))


def test_second_look_finds_faces_that_fill_the_picture(detector, orl_faces):
    tight = [face[34:100, 20:74] for face in orl_faces]  # brows to chin, nothing around
    unseen = [face for face in tight if not detector.detect(face)]
    assert len(unseen) >= 6
    assert sum(find_face(detector, face) is not None for face in unseen) >= len(unseen) / 2


@pytest.mark.slow
def test_all_orl_pictures_have_one_face(detector, orl_folder):
    pictures = sorted(orl_folder.glob("s*/*.pgm"))
    assert len(pictures) == 400
    assert [path for path in pictures if len(find_faces(detector, read_picture(path))) != 1] == []
