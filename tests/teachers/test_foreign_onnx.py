"""Foreign ONNX files: in each shape that public nets have, and what their first nodes do to pixels."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from tests.foreign_nets import LOGITS, NHWC, UINT8, expected, mean_colours, node, plain_crops

from facedistill.errors import FacedistillError, UsageError
from facedistill.teachers import load_teacher
from facedistill.teachers.graph_pixels import graph_pixels
from facedistill.teachers.onnx_input import read_input


@pytest.mark.parametrize(
    ("net", "given", "mean", "std"),
    [
        pytest.param({}, {}, 127.5, 127.5, id="insightface"),
        pytest.param({"shape": (1, 3, 112, 112)}, {}, 127.5, 127.5, id="one at a time"),
        pytest.param({"old": True}, {}, 127.5, 127.5, id="constants among the inputs' declarations"),
        pytest.param({"shape": ("n", 112, 96, 3), **NHWC}, {}, 127.5, 127.5, id="channels last"),
        pytest.param({"shape": ("n", 3, 160, 160)}, {"size": (160, 160)}, 127.5, 127.5, id="facenet's size"),
        pytest.param({"shape": ("n", 160, 160, 3), **NHWC}, {"size": (160, 160)}, 127.5, 127.5, id="Keras facenet"),
        pytest.param({"shape": ("n", 3, 56, 48)}, {"size": (56, 48)}, 127.5, 127.5, id="smaller than any convention"),
        pytest.param({"shape": ("n", 3, "h", "w")}, {"size": (112, 96)}, 127.5, 127.5, id="sides left open"),
        pytest.param(
            {"shape": ("n", "c", "h", "w")}, {"size": (112, 96), "layout": "nchw"}, 127.5, 127.5, id="all left open"
        ),
        pytest.param({"kind": TensorProto.FLOAT16}, {}, 127.5, 127.5, id="half precision"),
        pytest.param({"kind": TensorProto.DOUBLE}, {}, 127.5, 127.5, id="double precision"),
        pytest.param({**UINT8}, {}, 0, 1, id="bytes, channels first"),
        pytest.param({**UINT8, **NHWC, "shape": ("n", 112, 112, 3)}, {}, 0, 1, id="bytes, channels last"),
        pytest.param(
            {"last": [node("Reshape", ["e", "s"], ["o"])], "outputs": ("o",), "constants": [("s", [0, -1, 1, 1])]},
            {},
            127.5,
            127.5,
            id="[B, D, 1, 1]",
        ),
        pytest.param(
            {"last": [node("Reshape", ["e", "s"], ["o"])], "outputs": ("o",), "constants": [("s", [0, 1, -1])]},
            {},
            127.5,
            127.5,
            id="[B, 1, D]",
        ),
        pytest.param(LOGITS, {"output": "e"}, 127.5, 127.5, id="scores of classes too"),
        pytest.param(
            {"last": [node("Reshape", ["e", "s"], ["o"])], "outputs": ("o",), "constants": [("s", [1, 32])]},
            {},
            127.5,
            127.5,
            id="any batch declared, one built in",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::facedistill.errors.FacedistillWarning")
def test_each_shape_gives_the_embedding(tmp_path, net, given, mean, std) -> None:
    teacher = load_teacher(mean_colours(tmp_path / "net.onnx", **net), **given)
    crops = plain_crops(teacher.input_size)
    half = net.get("kind") == TensorProto.FLOAT16
    np.testing.assert_allclose(
        teacher.embed(crops), expected(crops, mean, std), atol=2e-2 if half else 2e-4 * 255 / std
    )
    assert teacher.embed(crops[:0]).shape == (0, 32)


@pytest.mark.parametrize(
    ("net", "given", "message"),
    [
        pytest.param({"shape": ("n", 3, 160, 160)}, {}, "give --size 160x160 to show it faces as in 112x112", id="160"),
        pytest.param({"shape": ("n", 3, "h", "w")}, {}, "give --size HEIGHTxWIDTH", id="sides left open"),
        pytest.param({"shape": ("n", "c", "h", "w")}, {"size": (112, 96)}, "give --layout nchw or", id="no layout"),
        pytest.param(LOGITS, {}, r"\(e \[2, 32\], logits \[2, 90\]\); give --output NAME", id="two outputs"),
        pytest.param(LOGITS, {"output": "E"}, "no output 'E'; give one of e, logits", id="a name that is none"),
        pytest.param({}, {"size": (112, 96)}, "not 112x96 pixels; leave --size out", id="not its size"),
        pytest.param({}, {"layout": "nhwc"}, "not nhwc; leave --layout out", id="not its layout"),
        pytest.param({}, {"layout": "chwn"}, "give nchw or nhwc", id="a layout that is none"),
        pytest.param({"shape": ("n", 3, 160, 90)}, {"size": (160, 90)}, "only squares, and 7:6", id="no face's shape"),
        pytest.param({"shape": ("n", 3, 640, 640)}, {"size": (640, 640)}, "32 to 512", id="larger than any face"),
        pytest.param({**UINT8}, {"mean": 0.0}, "carries its own preprocessing; leave mean out", id="bytes have a mean"),
    ],
)
def test_what_does_not_fit_names_the_option_that_mends_it(tmp_path, net, given, message) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        load_teacher(mean_colours(tmp_path / "net.onnx", **net), **given)
    assert "net.onnx" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param([], id="no input"),
        pytest.param([("tensor(float)", ["n", 3, 112, 112]), ("tensor(float)", [1])], id="two inputs"),
        pytest.param([("tensor(float)", ["n", 4, 112, 112])], id="four channels"),
        pytest.param([("tensor(float)", [3, 112, 112])], id="no batch"),
        pytest.param([("tensor(float)", [])], id="no shape"),
        pytest.param([("tensor(int64)", ["n", 3, 112, 112])], id="whole numbers"),
        pytest.param([("tensor(string)", ["n"])], id="text"),
        pytest.param([("seq(tensor(float))", None)], id="a list of pictures"),
    ],
)
def test_an_input_of_no_pictures_is_refused(inputs) -> None:
    entries = [SimpleNamespace(name=f"x{n}", type=kind, shape=shape) for n, (kind, shape) in enumerate(inputs)]
    with pytest.raises(FacedistillError, match=r"^teacher net (takes|has \d inputs)") as caught:
        read_input("teacher net", entries)
    assert "a face embedder takes [B, 3, H, W] or [B, H, W, 3]" in str(caught.value)


# What the graph does itself ---------------------------------------------------------------------------------------


def first_nodes(tmp_path: Path, nodes: Sequence[Any], **constants: Any) -> Any:
    given = [(name, np.asarray(value, np.float32)) for name, value in constants.items()]
    return graph_pixels(mean_colours(tmp_path / "net.onnx", first=nodes, constants=given))


COLUMN = (3, 1, 1)
NORM = {"s": [1, 1, 1], "b": [0, 0, 0]}


@pytest.mark.parametrize(
    ("nodes", "constants", "mean_std"),
    [
        pytest.param([node("Relu", ["x"], ["t"])], {}, None, id="nothing"),
        pytest.param([node("Identity", ["x"], ["t"])], {}, None, id="a node that does nothing"),
        pytest.param(
            [node("Sub", ["x", "m"], ["y"]), node("Mul", ["y", "k"], ["t"])],
            {"m": 127.5, "k": 0.0078125},
            (0.0, 1.0),
            id="MXNet's arcface: Sub and Mul",
        ),
        pytest.param(
            [node("Mul", ["x", "k"], ["y"]), node("Add", ["y", "m"], ["t"])],
            {"m": -1, "k": 1 / 127.5},
            (0.0, 1.0),
            id="the same the other way round",
        ),
        pytest.param([node("Div", ["x", "k"], ["t"])], {"k": 255}, (0.0, 1.0), id="to 0..1"),
        pytest.param([node("Sub", ["x", "m"], ["t"])], {"m": 117}, (0.0, 1.0), id="Caffe: the mean alone"),
        pytest.param([node("Sub", ["m", "x"], ["t"])], {"m": 255}, (0.0, 1.0), id="a negative"),
        pytest.param(
            [node("Sub", ["x", "m"], ["y"]), node("Div", ["y", "k"], ["t"])],
            {"m": np.reshape([0.485, 0.456, 0.406], COLUMN), "k": np.reshape([0.229, 0.224, 0.225], COLUMN)},
            (0.0, 255.0),
            id="ImageNet's, of 0..1",
        ),
        pytest.param(
            [node("Sub", ["x", "m"], ["y"]), node("Div", ["y", "k"], ["t"])],
            {"m": np.reshape([123.7, 116.3, 103.5], COLUMN), "k": np.reshape([58.4, 57.1, 57.4], COLUMN)},
            (0.0, 1.0),
            id="ImageNet's, of 0..255",
        ),
        pytest.param(
            [node("BatchNormalization", ["x", "s", "b", "m", "v"], ["t"])],
            {**NORM, "m": [140, 120, 110], "v": [4900, 4800, 4700]},
            (0.0, 1.0),
            id="a norm of raw pixels",
        ),
        pytest.param(
            [node("BatchNormalization", ["x", "s", "b", "m", "v"], ["t"])],
            {**NORM, "m": [0.1, 0, -0.1], "v": [0.3, 0.29, 0.31]},
            (127.5, 127.5),
            id="a norm of pixels in -1..1",
        ),
        pytest.param(
            [
                node("Cast", ["x"], ["y"], to=TensorProto.UINT8),
                node("Cast", ["y"], ["t"], to=TensorProto.FLOAT),
            ],
            {},
            (0.0, 1.0),
            id="back to bytes",
        ),
        pytest.param([node("Div", ["k", "x"], ["t"])], {"k": 255}, None, id="no linear map"),
        pytest.param([node("Mul", ["x", "k"], ["t"])], {"k": 0}, None, id="a map that loses everything"),
    ],
)
def test_what_a_graph_does_to_pixels_decides_what_it_is_given(tmp_path, nodes, constants, mean_std) -> None:
    found = first_nodes(tmp_path, nodes, **constants)
    assert (None if found is None else (found.mean, found.std)) == mean_std


def test_constants_in_a_file_beside_are_read(tmp_path) -> None:
    path = tmp_path / "net.onnx"
    first_nodes(tmp_path, [node("Sub", ["x", "m"], ["t"])], m=127.5)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="net.data", size_threshold=0)
    found = graph_pixels(path)
    assert found is not None
    assert (found.mean, found.std) == (0, 1)
    assert found.words == "the graph itself computes (x - 127.5) * 1"
