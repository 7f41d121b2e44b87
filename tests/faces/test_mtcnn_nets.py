"""The ONNX nets against the same nets in float64, and how the weights are read."""

import io
import pickle

import numpy as np
import onnxruntime
import pytest
from mtcnn_reference import ReferenceNet

from facedistill.errors import FacedistillError
from facedistill.faces import Detector, mtcnn_weights
from facedistill.faces.mtcnn_graphs import graph_file
from facedistill.faces.mtcnn_weights import load_weights


def run_net(name, pictures):
    session = onnxruntime.InferenceSession(graph_file(name), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"pictures": pictures}), strict=True))


def channels_last(array):
    return np.moveaxis(array, 1, -1)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        pytest.param("pnet", (1, 12, 12, 3), id="pnet: one window"),
        pytest.param("pnet", (1, 40, 57, 3), id="pnet: odd sides, where the pooling pads"),
        pytest.param("pnet", (2, 33, 24, 3), id="pnet: a batch"),
        pytest.param("rnet", (5, 24, 24, 3), id="rnet"),
        pytest.param("onet", (4, 48, 48, 3), id="onet"),
    ],
)
def test_net_equals_float64(name, shape):
    pictures = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    offsets, landmarks, probability = ReferenceNet(name)(pictures)
    got = run_net(name, pictures)
    np.testing.assert_allclose(channels_last(got["offsets"]), offsets, atol=1e-4)
    np.testing.assert_allclose(1 / (1 + np.exp(-channels_last(got["logits"])[..., 0])), probability, atol=1e-4)
    if name == "onet":
        np.testing.assert_allclose(got["landmarks"], landmarks, atol=1e-4)


def test_graphs_are_built_once_and_a_damaged_one_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEDISTILL_CACHE", str(tmp_path))
    Detector(threads=1)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(before) == 3
    damaged = sorted(before)[0]
    damaged.write_bytes(b"half a file")
    Detector(threads=1)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert after.keys() == before.keys()
    assert [path for path in after if after[path] != before[path]] == [damaged]


def test_weights_have_the_layers_of_the_paper():
    sizes = {name: sum(array.size for array in load_weights(name)) for name in ("pnet", "rnet", "onet")}
    assert sizes == {"pnet": 6632, "rnet": 100178, "onet": 389040}


def test_other_weights_are_refused(tmp_path, monkeypatch):
    other = tmp_path / "pnet.lz4"
    other.write_bytes(b"something else")
    monkeypatch.setattr(mtcnn_weights, "_weights_file", lambda _: other)
    with pytest.raises(FacedistillError, match=r"pnet\.lz4.*not those.*pip install"):
        load_weights("pnet")


def test_missing_package_is_one_line(monkeypatch):
    monkeypatch.setattr(mtcnn_weights.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(FacedistillError, match="missing from the package mtcnn; install it again"):
        load_weights("pnet")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(print, id="a function"),
        pytest.param(io.BytesIO, id="a class"),
        pytest.param(np.zeros(3), id="an array pickled by numpy itself"),
    ],
)
def test_weights_reader_admits_nothing_else(content):
    with pytest.raises(pickle.UnpicklingError, match="has no place"):
        mtcnn_weights._ArrayUnpickler(pickle.dumps([content])).arrays()
