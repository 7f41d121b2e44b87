"""The model file: the contract of its input, output and metadata, and the proof that it equals the net."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from facedistill.backbones import build_backbone, count_macs, embed_crops
from facedistill.errors import FacedistillError
from facedistill.export import OnnxFace, file_cost, latencies_ms
from facedistill.model_file import METADATA_KEY, Logistic, ModelMetadata

METADATA = ModelMetadata(
    "tiny",
    (112, 96),
    16,
    thresholds={
        "native": {"1e-1": 0.2, "1e-2": 0.4},
        "16": {"1e-1": 0.3},
        "both 16": {"1e-1": 0.5},
        "matched 16": {"1e-1": 0.4},
    },
    threshold_intervals={"native": {"1e-1": [0.1, 0.3]}},
    probability={"native": Logistic(12.5, -3.0)},
    reliability={"native": {"ece": 0.03, "bins": []}},
    licence="none",
)

# What the first version wrote: no interval, no probability.
OLD = {
    "name": "old",
    "crop_size": [112, 96],
    "embedding_size": 16,
    "thresholds": {"native": {"1e-1": 0.2, "1e-2": 0.4}, "16": {"1e-1": 0.3}},
    "calibration": "on somebody",
    "data_digest": "d",
    "recipe_digest": "r",
    "licence": "none",
}


def tiny(**options):
    torch.manual_seed(0)
    net = build_backbone("resnet20", embedding_size=16, width=0.125, **options)
    with torch.no_grad():  # running statistics as after training, so that folding them shows
        for name, buffer in net.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.uniform_(0.5, 1.5)
    return net


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(0).integers(0, 256, (5, 112, 96, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def file(tmp_path_factory, crops) -> Path:
    path = tmp_path_factory.mktemp("export") / "tiny.onnx"
    OnnxFace().write(tiny(), path, METADATA, crops)
    return path


@pytest.mark.parametrize("count", [1, 5, 33], ids=["one face", "some", "more than the example"])
def test_its_embeddings_are_torchs_at_unit_length(file, count):
    crops = np.random.default_rng(count).integers(0, 256, (count, 112, 96, 3), dtype=np.uint8)
    session = onnxruntime.InferenceSession(file)
    (outputs,) = session.run(None, {session.get_inputs()[0].name: crops})
    expected = embed_crops(tiny(), crops)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(outputs, expected, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(outputs, axis=1), 1, atol=1e-5)


def test_the_contract_of_its_input_and_output(file):
    session = onnxruntime.InferenceSession(file)
    (entry,), (output,) = session.get_inputs(), session.get_outputs()
    assert (entry.type, entry.shape[1:]) == ("tensor(uint8)", [112, 96, 3])
    assert not isinstance(entry.shape[0], int)
    assert output.shape[1] == 16


def test_metadata_survives(file):
    entries = onnxruntime.InferenceSession(file).get_modelmeta().custom_metadata_map
    assert ModelMetadata.from_map(entries, "tiny.onnx") == METADATA


def test_it_holds_nothing_of_the_machine_it_was_made_on(file):
    content = file.read_bytes()
    assert b"stack_trace" not in content
    assert b"onnx_face.py" not in content
    assert b"onnx_graph.py" not in content


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param({}, id="a foreign ONNX file"),
        pytest.param({METADATA_KEY: "{"}, id="cut off"),
        pytest.param({METADATA_KEY: json.dumps({"name": "x"})}, id="a field is missing"),
        pytest.param({METADATA_KEY: json.dumps({"crop_size": [1, 2], "what": 1})}, id="an unknown field"),
        pytest.param({METADATA_KEY: "[]"}, id="no mapping"),
    ],
)
def test_damaged_metadata_is_one_clear_line(entries):
    with pytest.raises(FacedistillError, match=r"tiny\.onnx"):
        ModelMetadata.from_map(entries, "tiny.onnx")


def test_a_file_from_before_the_probabilities_is_read():
    metadata = ModelMetadata.from_map({METADATA_KEY: json.dumps(OLD)}, "old.onnx")
    assert metadata.thresholds == OLD["thresholds"]
    assert (metadata.threshold_intervals, metadata.probability, metadata.reliability) == ({}, {}, {})


def test_its_json_is_what_other_readers_expect():
    written = json.loads(METADATA.to_map()[METADATA_KEY])
    assert OLD.keys() < written.keys()
    assert written.keys() - OLD.keys() == {"threshold_intervals", "probability", "reliability", "net"}
    assert written["probability"] == {"native": {"slope": 12.5, "offset": -3.0}}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        pytest.param({"thresholds": {"16": {"1e-1": 0.5, "1e-3": 0.4}}}, "16 are out of order", id="out of order"),
        pytest.param({"thresholds": {"native": {"1e-1": float("nan")}}}, "NaN is no number", id="NaN"),
        pytest.param({"thresholds": {"sixteen": {"1e-1": 0.5}}}, "'sixteen'", id="no resolution"),
        pytest.param({"thresholds": {"both matched 16": {"1e-1": 0.5}}}, "'both matched 16'", id="two prefixes"),
        pytest.param({"thresholds": {"16": {"often": 0.5}}}, "often", id="no rate"),
        pytest.param({"thresholds": {"16": 0.5}}, "damaged", id="no rates"),
        pytest.param({"thresholds": [1]}, "damaged", id="no mapping"),
        pytest.param({"probability": {"16": {"slope": -1.0, "offset": 0.0}}}, "slope is -1", id="falling probability"),
        pytest.param(
            {"probability": {"16": {"slope": 1.0, "offset": float("inf")}}}, "Infinity is no number", id="infinite"
        ),
        pytest.param({"probability": {"16": {"slope": 1.0}}}, "damaged", id="half a probability"),
        pytest.param({"net": "slim"}, "damaged", id="a net that is no mapping"),
    ],
)
def test_a_calibration_that_cannot_be_is_one_clear_line(changed, message):
    with pytest.raises(FacedistillError, match=message) as raised:
        ModelMetadata.from_map({METADATA_KEY: json.dumps(OLD | changed)}, "old.onnx")
    assert str(raised.value).startswith("old.onnx: ")
    assert "\n" not in str(raised.value)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"se": True}, {"activation": "prelu"}], ids=str)
def test_other_nets_export_too(tmp_path, crops, options):
    assert OnnxFace().write(tiny(**options), tmp_path / "net.onnx", METADATA, crops).max_difference < 1e-4


def test_cost_is_read_off_the_file(file):
    cost = file_cost(file)
    net = tiny()
    assert cost.macs == pytest.approx(count_macs(net), rel=1e-6)
    folded = sum(p.numel() for name, p in net.named_parameters() if p.ndim > 1)
    assert folded <= cost.parameters <= 1.1 * folded
    assert cost.size_mb == pytest.approx(file.stat().st_size / 1e6)


def test_cost_of_a_net_counted_by_hand(tmp_path):
    """A 3x3 convolution from 2 to 4 channels on 5x6, stride 1, padded: 5*6*4*2*9 multiply-accumulates."""
    weight = onnx.numpy_helper.from_array(np.zeros((4, 2, 3, 3), np.float32), "w")
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])],
        "net",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["b", 2, 5, 6])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["b", 4, 5, 6])],
        [weight],
    )
    onnx.save(onnx.helper.make_model(graph), tmp_path / "net.onnx")
    cost = file_cost(tmp_path / "net.onnx")
    assert (cost.parameters, cost.macs) == (72, 5 * 6 * 4 * 2 * 9)


def test_latencies_are_positive_and_named(file):
    times = latencies_ms({"a": file, "b": file}, rounds=3)
    assert set(times) == {"a", "b"}
    assert min(times.values()) > 0
