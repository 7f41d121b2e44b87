"""Model files with weights of 8 bits: size, speed, what they give, and the net that is read out of them."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from facedistill.backbones import BACKBONES, build_backbone, embed_crops
from facedistill.backbones.int8_weights import int8_weights, load_int8_backbone, with_int8_weights
from facedistill.errors import FacedistillError
from facedistill.export import OnnxFace, OnnxInt8, file_cost
from facedistill.model_file import ModelMetadata

CROPS = np.random.default_rng(0).integers(0, 256, (5, 112, 96, 3), dtype=np.uint8)


def trained(name="slim", width=0.5, **options):
    """A net with norms as after training, so that each of their parts shows."""
    torch.manual_seed(0)
    net = build_backbone(name, embedding_size=32, width=width, **options)
    with torch.no_grad():
        for key, value in net.state_dict().items():
            if key.endswith(("running_mean", "running_var")):
                value.uniform_(0.5, 1.5)
            elif value.ndim == 1:
                value += 0.1 * torch.randn_like(value)
    return net.eval()


def metadata_of(net):
    return ModelMetadata("tiny", net.input_size, net.embedding_size, licence="none", net=net.spec)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def net():
    return trained()


@pytest.fixture(scope="module")
def file(net, tmp_path_factory):
    path = tmp_path_factory.mktemp("int8") / "tiny.onnx"
    OnnxInt8().write(net, path, metadata_of(net), CROPS)
    return path


def test_it_is_a_quarter_as_large_with_embeddings_that_hardly_differ(net, file, tmp_path):
    proof = OnnxFace().write(net, tmp_path / "float.onnx", metadata_of(net), CROPS)
    assert proof.max_difference < 1e-4
    # Of a small net the norms' vectors, the scales and the graph are a tenth of the file.
    assert 0.25 < file.stat().st_size / (tmp_path / "float.onnx").stat().st_size < 0.34
    (outputs,) = onnxruntime.InferenceSession(file).run(None, {"crops": CROPS})
    cosines = (outputs * unit(embed_crops(net, CROPS))).sum(axis=1)
    assert 0.998 < cosines.min() < 1
    np.testing.assert_allclose(outputs, unit(embed_crops(with_int8_weights(net), CROPS)), atol=1e-4)


def test_the_proof_is_about_the_net_that_was_given(net, tmp_path):
    proof = OnnxInt8().write(net, tmp_path / "tiny.onnx", metadata_of(net), CROPS)
    assert 1e-4 < proof.max_difference < 0.05
    assert 0.998 < proof.least_cosine < 1


def test_onnxruntime_opens_it_as_a_float_net_without_norms(file, tmp_path):
    """Else each face would pay for the smaller file."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "opened.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    onnxruntime.InferenceSession(file, options)
    opened = onnx.load(tmp_path / "opened.onnx").graph
    kinds = [node.op_type for node in opened.node]
    assert "Mul" not in kinds
    assert kinds.count("BatchNormalization") <= 1, "the last one, behind the matrix, is one product a face"
    assert all(numpy_helper.to_array(entry).dtype != np.int8 for entry in opened.initializer)


def test_metadata_and_cost_are_those_of_the_net(net, file):
    entries = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert ModelMetadata.from_map(entries, "tiny") == metadata_of(net)
    counted = sum(weight.numel() for weight in net.parameters())
    assert 0 <= file_cost(file).parameters - counted <= 2, "two numbers scale the pixels"


def test_it_holds_nothing_of_the_machine_it_was_made_on(file):
    assert not [word for word in (b"stack_trace", b"onnx_face.py", b"onnx_graph.py") if word in file.read_bytes()]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="a norm behind each layer"),
        pytest.param({"se": True, "activation": "prelu"}, id="biases and slopes"),
        pytest.param({"name": "dlibresnet", "input_size": (150, 150)}, id="biases and no norm"),
        *(
            pytest.param({"name": name, "width": 0.125}, id=name, marks=pytest.mark.slow)
            for name in sorted(set(BACKBONES) - {"slim", "dlibresnet"})
        ),
    ],
)
def test_the_net_is_read_back_as_it_was_rounded(options, tmp_path):
    net = trained(**options)
    crops = np.random.default_rng(1).integers(0, 256, (2, *net.input_size, 3), dtype=np.uint8)
    OnnxInt8().write(net, tmp_path / "net.onnx", metadata_of(net), crops)
    read, rounded = load_int8_backbone(tmp_path / "net.onnx"), with_int8_weights(net)
    assert read.spec == net.spec
    assert not read.training
    for key, value in rounded.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            torch.testing.assert_close(read.state_dict()[key], value, rtol=0, atol=0, msg=key)


def test_each_filter_has_a_scale_of_its_own_and_is_off_by_half_of_it(net):
    weights = int8_weights(net)
    state = net.state_dict()
    assert {key for key, value in state.items() if value.ndim > 1} == weights.keys()
    for key, (numbers, scale) in weights.items():
        assert numbers.dtype == torch.int8
        assert scale.shape == (len(numbers), *[1] * (numbers.ndim - 1))
        assert (numbers.flatten(1).abs().amax(dim=1) == 127).all()
        assert ((numbers * scale - state[key]).abs() <= 0.5001 * scale).all()


def test_a_filter_of_zeros_stays_one(net):
    silent = trained()
    with torch.no_grad():
        silent.stages[0][0][0].weight[0] = 0
    numbers, scale = int8_weights(silent)["stages.0.0.0.weight"]
    assert not numbers[0].any()
    assert scale[0] == 1


def test_rounding_twice_changes_nothing_more(net):
    once = with_int8_weights(net)
    assert all(
        torch.equal(twice, first)
        for (twice, _), (first, _) in zip(int8_weights(once).values(), int8_weights(net).values(), strict=True)
    )


def damaged(model, file):
    path = file.parent / "damaged.onnx"
    onnx.save(model, path)
    return path


def with_metadata(model, metadata):
    onnx.helper.set_model_props(model, metadata.to_map())
    return model


def without_scale(model):
    graph = model.graph
    graph.initializer.remove(next(entry for entry in graph.initializer if entry.name.endswith("_scale")))
    return model


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            lambda model, net: with_metadata(model, replace(metadata_of(net), net={})),
            "best.pt",
            id="a file from before the net's description",
        ),
        pytest.param(
            lambda model, net: with_metadata(model, replace(metadata_of(net), net={**net.spec, "width": 1.0})),
            "do not fit its description: mis-shaped",
            id="another width",
        ),
        pytest.param(
            lambda model, net: with_metadata(
                model, replace(metadata_of(net), net={**net.spec, "embedding_size": 9**19})
            ),
            "do not fit|damaged",
            id="a size that no memory holds",
        ),
        pytest.param(
            lambda model, net: with_metadata(model, replace(metadata_of(net), net={**net.spec, "name": "a.b:c"})),
            "code of another package",
            id="code of another package",
        ),
        pytest.param(lambda model, net: without_scale(model), "is no tensor", id="a scale is missing"),
    ],
)
def test_a_file_to_which_no_net_fits_is_one_clear_line(change, message, net, file):
    path = damaged(change(onnx.load(file), net), file)
    with pytest.raises(FacedistillError, match=message) as raised:
        load_int8_backbone(path)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kept", [0, 1, 1000, -10], ids=["empty", "one byte", "cut short", "nearly whole"])
def test_a_file_cut_short_is_one_clear_line(kept, file, tmp_path):
    (tmp_path / "cut.onnx").write_bytes(file.read_bytes()[:kept])
    with pytest.raises(FacedistillError, match=r"cut\.onnx"):
        load_int8_backbone(tmp_path / "cut.onnx")


def test_a_float_file_has_no_norms_to_go_on_with(net, tmp_path):
    OnnxFace().write(net, tmp_path / "float.onnx", metadata_of(net), CROPS)
    with pytest.raises(FacedistillError, match=r"its norms are folded; give a run's best\.pt"):
        load_int8_backbone(tmp_path / "float.onnx")
