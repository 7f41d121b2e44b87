"""Recognising with a model file, as an app does it: photos in, answers out."""

import numpy as np
import pytest
import torch

from facedistill.backbones import build_backbone
from facedistill.datasets import load_orl
from facedistill.errors import FacedistillError, UsageError
from facedistill.export import OnnxFace
from facedistill.model_file import ModelMetadata
from facedistill.pictures import encode_picture
from facedistill.runtime import NoFaceError, Recognizer

THRESHOLDS = {"native": {"1e-1": -1.0, "1e-2": 0.999}}


def write_model(path, thresholds):
    torch.manual_seed(0)
    crops = np.random.default_rng(0).integers(0, 256, (2, 112, 96, 3), dtype=np.uint8)
    metadata = ModelMetadata("tiny", (112, 96), 16, thresholds=thresholds, calibration="on 8 pictures of 4 people")
    OnnxFace().write(build_backbone("resnet20", embedding_size=16, width=0.125), path, metadata, crops)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "tiny.onnx", THRESHOLDS)


@pytest.fixture(scope="module")
def recognizer(model):
    return Recognizer(model)


@pytest.fixture(scope="module")
def photos():
    faces = load_orl()
    return [faces[0].image, faces[1].image, faces[200].image]


def test_one_photo_gives_one_unit_embedding(recognizer, photos):
    embedding = recognizer.embed(photos[0])
    assert embedding.shape == (16,)
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)


def test_crops_are_embedded_as_they_are(recognizer):
    crops = np.zeros((3, 112, 96, 3), np.uint8)
    assert recognizer.embed(crops).shape == (3, 16)


def test_a_file_and_its_pixels_give_the_same(recognizer, photos, tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(encode_picture(photos[0], ".png"))
    np.testing.assert_array_equal(recognizer.embed(path), recognizer.embed(photos[0]))


def test_detect_finds_the_face(recognizer, photos):
    canvas = np.full((400, 500, 3), 90, np.uint8)
    canvas[150:262, 200:292] = photos[0]
    (face,) = recognizer.detect(canvas)
    assert 150 < face.box[1] < face.box[3] < 280
    assert face.landmarks.shape == (5, 2)


@pytest.mark.parametrize(
    ("fmr", "same", "rate"),
    [
        pytest.param(0.1, True, 0.1, id="a calibrated rate"),
        pytest.param(0.05, True, 0.1, id="between two: the next laxer one, which is stated"),
        pytest.param(0.01, False, 0.01, id="a stricter one"),
        pytest.param(1e-6, False, 0.01, id="stricter than known: the strictest"),
        pytest.param(0.5, True, 0.1, id="laxer than known: the laxest"),
    ],
)
def test_verify_uses_the_threshold_of_the_rate_asked_for(recognizer, photos, fmr, same, rate):
    answer = recognizer.verify(photos[0], photos[2], fmr=fmr)
    assert (answer.same, answer.fmr) == (same, rate)
    assert answer.threshold == THRESHOLDS["native"]["1e-1" if rate == 0.1 else "1e-2"]
    assert -1 <= answer.similarity <= 1
    assert answer.calibration == "on 8 pictures of 4 people"


def test_a_picture_without_a_face_is_said_so(recognizer):
    with pytest.raises(NoFaceError, match="no face"):
        recognizer.embed(np.zeros((200, 200, 3), np.uint8))


@pytest.mark.parametrize(
    ("crops", "reason"),
    [
        pytest.param(np.zeros((1, 112, 112, 3), np.uint8), "112, 112", id="another size"),
        pytest.param(np.zeros((1, 112, 96, 3), np.float32), "float32", id="another type"),
    ],
)
def test_crops_that_do_not_fit_are_refused(recognizer, crops, reason):
    with pytest.raises(UsageError, match=reason):
        recognizer.embed(crops)


def test_without_thresholds_nothing_is_called_the_same(tmp_path, photos):
    bare = Recognizer(write_model(tmp_path / "bare.onnx", {}))
    with pytest.raises(FacedistillError, match="no thresholds"):
        bare.verify(photos[0], photos[1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "no such model file", id="missing"),
        pytest.param(b"", "is no intact ONNX file", id="empty"),
        pytest.param(b"<html>", "is a web page, not a model file", id="a web page"),
    ],
)
def test_a_file_that_is_no_model(tmp_path, content, message):
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FacedistillError, match=message):
        Recognizer(path)


def test_a_truncated_model_is_refused(tmp_path, model):
    path = tmp_path / "half.onnx"
    path.write_bytes(model.read_bytes()[:-2000])
    with pytest.raises(FacedistillError, match=r"half\.onnx"):
        Recognizer(path)


def test_the_environment_names_the_model(monkeypatch, model, photos):
    monkeypatch.setenv("FACEDISTILL_MODEL", str(model))
    assert Recognizer().embed(photos[0]).shape == (16,)
