"""ONNX files that do not open: the true cause, whole, from everything that opens one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from facedistill.backbones.int8_weights import load_int8_backbone
from facedistill.errors import FacedistillError
from facedistill.export.cost import file_cost, latencies_ms
from facedistill.export.info import net_info
from facedistill.onnx_files import open_session
from facedistill.runtime import Recognizer
from facedistill.teachers import load_teacher


def net(path: Path, operator: str = "Flatten", domain: str = "", opset: int = 17, ir: int = 8) -> Path:
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]),
        helper.make_node(operator, ["p"], ["f"], domain=domain),
        helper.make_node("MatMul", ["f", "W"], ["e"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 112, 96])],
        [helper.make_tensor_value_info("e", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.ones((3, 16), np.float32), "W")],
    )
    sets = [helper.make_opsetid("", opset), *([helper.make_opsetid(domain, 1)] if domain else [])]
    onnx.save(helper.make_model(graph, opset_imports=sets, ir_version=ir), path)
    return path


def double(path: Path) -> Path:
    model = onnx.load(net(path))
    for entry in (*model.graph.input, *model.graph.output):
        entry.type.tensor_type.elem_type = TensorProto.DOUBLE
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.ones((3, 16)), "W"))
    onnx.save(model, path)
    return path


def with_weights_beside(path: Path) -> Path:
    onnx.save(onnx.load(net(path)), path, save_as_external_data=True, location="net.data", size_threshold=0)
    return path


def lost(path: Path) -> Path:
    with_weights_beside(path)
    (path.parent / "net.data").unlink()
    return path


def cut_off(path: Path) -> Path:
    with_weights_beside(path)
    data = path.parent / "net.data"
    data.write_bytes(data.read_bytes()[:20])
    return path


def outside(path: Path) -> Path:
    """Weights that would be read from a file elsewhere on the machine."""
    with_weights_beside(path)
    model = onnx.load(path, load_external_data=False)
    (place,) = (entry for entry in model.graph.initializer[0].external_data if entry.key == "location")
    place.value = "../../../../../../../../etc/passwd"
    onnx.save(model, path)
    return path


def truncated(path: Path) -> Path:
    path.write_bytes(net(path).read_bytes()[:100])
    return path


AGAIN = "copy or download it again"
SOUND = [  # files that another copy would not mend
    pytest.param(lambda path: net(path, opset=99), "uses opset 99 of ONNX, but onnxruntime .* up to", id="opset"),
    pytest.param(lambda path: net(path, ir=99), "uses IR version 99 of ONNX, but onnxruntime .* up to", id="format"),
    pytest.param(lambda path: net(path, "Foo"), "uses the operator Foo, which onnxruntime", id="unknown operator"),
    pytest.param(lambda path: net(path, "Foo", "my.ops"), "uses the operator my.ops:Foo", id="a vendor's operator"),
    pytest.param(double, "computes GlobalAveragePool in a type that .* cannot; export the net in float32", id="double"),
    pytest.param(lost, r"keeps weights in net\.data, which is not beside it; copy that file", id="no weights"),
    pytest.param(outside, r".*etc/passwd, outside its own folder, where none are read", id="weights from elsewhere"),
]
DAMAGED = [
    pytest.param(cut_off, "out of bounds or can not be read in full", id="half of the weights"),
    pytest.param(truncated, "is no intact ONNX file", id="truncated"),
    pytest.param(lambda path: path.write_bytes(b"\n"), "is no intact ONNX file", id="one byte"),
]


@pytest.mark.parametrize(("make", "message"), SOUND)
@pytest.mark.parametrize(
    "use", [load_teacher, Recognizer, lambda path: latencies_ms({"net": path})], ids=["teacher", "recognizer", "time"]
)
def test_a_file_that_cannot_run_says_why(
    tmp_path: Path, make: Callable[[Path], object], message: str, use: Callable[[Path], object]
) -> None:
    path = tmp_path / "net.onnx"
    make(path)
    with pytest.raises(FacedistillError, match=rf"net\.onnx {message}") as caught:
        use(path)
    assert "again" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("make", "message"), DAMAGED)
def test_a_damaged_file_is_to_be_copied_again(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    path = tmp_path / "net.onnx"
    make(path)
    with pytest.raises(FacedistillError, match=rf"net\.onnx .*{message}.*; {AGAIN}$"):
        load_teacher(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lost, r"keeps weights in net\.data, which is not beside it", id="no weights"),
        pytest.param(truncated, "no intact ONNX file", id="truncated"),
        pytest.param(lambda path: path.write_bytes(b""), "holds no graph", id="empty"),
    ],
)
@pytest.mark.parametrize("use", [net_info, file_cost, load_int8_backbone], ids=["info", "cost", "weights"])
def test_a_file_that_cannot_be_read_says_why(
    tmp_path: Path, make: Callable[[Path], object], message: str, use: Callable[..., object]
) -> None:
    path = tmp_path / "net.onnx"
    make(path)
    with pytest.raises(FacedistillError, match=rf"net\.onnx .*{message}"):
        use(str(path) if use is net_info else path)


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").mkdir()
    with pytest.raises(FacedistillError, match=r"net\.onnx cannot be read \(Is a directory\)"):
        open_session(tmp_path / "net.onnx", "net.onnx", "copy it again")
