"""Foreign ONNX nets whose answers are known by heart."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from facedistill.models import shipped_models

MATRIX = np.random.default_rng(0).standard_normal((3, 32)).astype(np.float32)
node = helper.make_node


def mean_colours(
    path: Path,
    shape: Sequence[int | str] = ("n", 3, 112, 112),
    kind: int = TensorProto.FLOAT,
    first: Sequence[Any] = (),
    last: Sequence[Any] = (),
    outputs: Sequence[str] = ("e",),
    constants: Sequence[tuple[str, Any]] = (),
    old: bool = False,
) -> Path:
    """An embedder whose answer is known by heart: the mean of each channel, times `MATRIX`."""
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    tail = "float" if kind in (TensorProto.UINT8, TensorProto.DOUBLE) else "t" if first else "x"
    nodes = [
        *first,
        *([node("Cast", ["t" if first else "x"], ["float"], to=TensorProto.FLOAT)] if tail == "float" else []),
        node("GlobalAveragePool", [tail], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("MatMul", ["f", "W"], ["e"]),
        *last,
    ]
    inner = np.float32 if tail == "float" else dtype
    given = {"W": MATRIX.astype(inner), **{name: np.asarray(value) for name, value in constants}}
    out = helper.np_dtype_to_tensor_dtype(np.dtype(inner))
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", kind, list(shape))],
        [helper.make_tensor_value_info(name, out, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in given.items()],
    )
    if old:  # exporters of before listed constants among the inputs too
        graph.input.extend(
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
            for n, v in given.items()
        )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def plain_crops(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Three crops of one colour each, which keep it however they are resized."""
    colours = np.array([[10, 200, 90], [255, 0, 30], [128, 127, 126]], np.uint8)
    return np.ascontiguousarray(np.broadcast_to(colours[:, None, None], (3, *size, 3)))


def expected(crops: NDArray[np.uint8], mean: float = 127.5, std: float = 127.5, bgr: bool = False) -> NDArray[Any]:
    colours = crops[:, 0, 0].astype(np.float64)
    return (colours[:, ::-1] if bgr else colours) @ MATRIX / std - mean / std * MATRIX.sum(axis=0)


NHWC = {"first": [node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2])]}
UINT8 = {"kind": TensorProto.UINT8}
LOGITS = {
    "last": [node("MatMul", ["e", "C"], ["logits"])],
    "outputs": ("e", "logits"),
    "constants": [("C", np.ones((32, 90), np.float32))],
}


def foreign(path: Path, hidden: bool = False, bgr: bool = False) -> Path:
    """slim-m as a foreign file: float [N, 3, 150, 150] of 0..255, normalised inside; `hidden` behind a convolution."""
    model = onnx.load(shipped_models()["slim-m"])
    graph = model.graph
    inner = graph.input[0].name
    exchange = np.eye(3, dtype=np.float32)[:: -1 if bgr else 1].reshape(3, 3, 1, 1)
    nodes = [
        *([node("Conv", ["data", "same"], ["seen"])] if hidden else []),
        node("Transpose", ["seen" if hidden else "data"], ["last"], perm=[0, 2, 3, 1]),
        node("Cast", ["last"], [inner], to=TensorProto.UINT8),
    ]
    for place, each in enumerate(nodes):
        graph.node.insert(place, each)
    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(exchange), "same"))
    del graph.input[:], model.metadata_props[:]
    graph.input.append(helper.make_tensor_value_info("data", TensorProto.FLOAT, ["n", 3, 150, 150]))
    onnx.save(model, path)
    return path
