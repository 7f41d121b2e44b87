"""Our reading of dlib's net against dlib itself, on real faces."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from facedistill.datasets import load_orl
from facedistill.faces import CROP_150X150, Detector
from facedistill.teachers import load_teacher
from facedistill.teachers.dlib_teacher import dlib_weights

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def chips() -> list[np.ndarray]:
    """dlib's own chips of the first two ORL pictures of each person."""
    dlib = pytest.importorskip("dlib")
    detector = dlib.get_frontal_face_detector()
    predictor = dlib.shape_predictor(str(dlib_weights().with_name("shape_predictor_5_face_landmarks.dat")))
    faces = load_orl()
    cut = []
    for person in range(40):
        for index in np.flatnonzero(faces.labels == person)[:2]:
            large = cv2.resize(faces[int(index)].image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
            large = cv2.copyMakeBorder(large, 60, 60, 60, 60, cv2.BORDER_REPLICATE)
            found = detector(large, 1)
            if len(found):
                largest = max(found, key=lambda box: box.area())
                cut.append(dlib.get_face_chip(large, predictor(large, largest), 150, 0.25))
    return cut


def test_embeddings_are_dlibs(chips: list[np.ndarray]) -> None:
    import dlib

    reference = dlib.face_recognition_model_v1(str(dlib_weights()))
    expected = np.array([reference.compute_face_descriptor(chip) for chip in chips[:20]])
    difference = np.abs(load_teacher("dlib").embed(np.array(chips[:20])) - expected).max()
    assert difference < 1e-5  # wanted: 1e-3


def test_the_template_is_where_landmarks_lie_in_dlibs_chips(chips: list[np.ndarray]) -> None:
    detector = Detector()
    found = [detector.detect(chip) for chip in chips]
    points = np.array([max(each, key=lambda face: face.score).landmarks for each in found if each])
    assert len(points) >= 70
    assert np.abs(points.mean(axis=0) - CROP_150X150.template).max() < 1.5


def test_the_benchmark_runs(tmp_path: Path) -> None:
    if importlib.util.find_spec("dlib") is None:
        pytest.skip("dlib-bin is not installed")
    script = Path(__file__).parents[2] / "benchmarks" / "dlib_speed.py"
    out = tmp_path / "speed.json"
    subprocess.run([sys.executable, script, "--rounds", "1", "--json", out], check=True)
    rows = json.loads(out.read_text())["rows"]
    assert [(row["threads"], row["batch"]) for row in rows] == [(1, 1), (1, 16), ("default", 1), ("default", 16)]
    assert all(row["times_faster"] > 1 for row in rows)
