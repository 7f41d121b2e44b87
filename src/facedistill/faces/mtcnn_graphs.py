"""MTCNN's three nets (Zhang et al. 2016, "Joint Face Detection and Alignment Using Multitask Cascaded CNNs") as ONNX.

Every net takes `pictures` uint8 [N, H, W, 3] RGB and gives `logits` (log odds of a face), `offsets` (of the window's
left, top, right, bottom edge, in window widths and heights), and O-Net `landmarks` (five x, then five y, in window
widths and heights). P-Net slides its 12-pixel window in steps of two: its outputs are maps [N, 1 or 4, h, w].
R-Net takes 24x24, O-Net 48x48 pictures: [N, 1], [N, 4], [N, 10].
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import FacedistillError
from facedistill.faces.mtcnn_weights import DIGESTS, load_weights
from facedistill.files import atomic_path, cache_folder

if TYPE_CHECKING:
    from onnx import ModelProto

WINDOWS = {"pnet": 12, "rnet": 24, "onet": 48}

_FORMAT = 2  # part of the cached file's name: raise it whenever the graphs change
_OPSET = 17
_IR_VERSION = 8  # read by every onnxruntime this project supports

# Per block: the pooling behind a convolution and its PReLU, as (kernel, TensorFlow's padding).
_POOLS: dict[str, tuple[tuple[int, str] | None, ...]] = {
    "pnet": ((2, "SAME_UPPER"), None, None),
    "rnet": ((3, "SAME_UPPER"), (3, "VALID"), None),
    "onet": ((3, "SAME_UPPER"), (3, "VALID"), (2, "SAME_UPPER"), None),
}
_OUTPUTS = {
    "pnet": ("offsets", "logits"),
    "rnet": ("offsets", "logits"),
    "onet": ("offsets", "landmarks", "logits"),
}


def graph_file(net: str) -> Path:
    """The ONNX file of "pnet", "rnet" or "onet" in the cache folder; built when it is not there.

    Raises:
        FacedistillError: The weights cannot be read, or the cache folder cannot be written.
    """
    path = cache_folder() / f"mtcnn-{net}-v{_FORMAT}-{DIGESTS[net][:12]}.onnx"
    if not path.is_file():
        rebuild_graph_file(net, path)
    return path


def rebuild_graph_file(net: str, path: Path) -> None:
    """Writes the ONNX file of a net to `path`."""
    data = build_graph(net).SerializeToString()
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def build_graph(net: str) -> ModelProto:
    """Builds "pnet", "rnet" or "onet" as an ONNX model."""
    weights = load_weights(net)
    builder = _Builder(WINDOWS[net] if net != "pnet" else None)
    for pool in _POOLS[net]:
        builder.conv(weights.pop(0), weights.pop(0))
        builder.prelu(weights.pop(0))
        if pool:
            builder.add("MaxPool", kernel_shape=[pool[0]] * 2, strides=[2, 2], auto_pad=pool[1])
    if net != "pnet":
        builder.flatten_to_dense(weights.pop(0), weights.pop(0))
        builder.prelu(weights.pop(0))
    for name in _OUTPUTS[net]:
        builder.head(name, weights.pop(0), weights.pop(0))
    if weights:
        raise FacedistillError(f"{net} has {len(weights)} arrays of weights more than its layers can take")
    return builder.model(net)


class _Builder:
    """Appends nodes to a chain; `self._last` is the tensor that the next node reads."""

    def __init__(self, side: int | None) -> None:
        from onnx import TensorProto, helper, numpy_helper

        self._helper, self._to_tensor = helper, numpy_helper.from_array
        self._float, self._last, self._channels = TensorProto.FLOAT, "pictures", 3
        shape = ["n", side or "height", side or "width", 3]
        self._inputs = [helper.make_tensor_value_info("pictures", TensorProto.UINT8, shape)]
        self._spatial = side is None
        self._nodes: list[Any] = []
        self._initializers: list[Any] = []
        self._outputs: list[Any] = []
        self.add("Cast", to=TensorProto.FLOAT)
        self.add("Transpose", perm=[0, 3, 1, 2])
        self.add("Sub", [self._constant(np.float32(127.5))])
        self.add("Mul", [self._constant(np.float32(1 / 128))])

    def add(self, kind: str, others: list[str] | None = None, **attributes: Any) -> str:
        """Appends a node that reads the last tensor and `others`; returns its output's name."""
        name = f"t{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(kind, [self._last, *(others or [])], [name], **attributes))
        self._last = name
        return name

    def conv(self, kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        """A convolution without padding; `kernel` is [kh, kw, in, out]."""
        self._channels = kernel.shape[3]
        self.add("Conv", [self._constant(kernel.transpose(3, 2, 0, 1)), self._constant(bias)])

    def prelu(self, slopes: NDArray[np.float32]) -> None:
        """max(x, 0) + slope * min(x, 0), one slope per channel: three plain nodes outrun onnxruntime's PRelu."""
        source = self._last
        zero = self._constant(np.float32(0))
        slopes = slopes.reshape(-1, 1, 1) if slopes.ndim == 3 else slopes
        self.add("Min", [zero])
        negative = self.add("Mul", [self._constant(slopes)])
        self._last = source
        self.add("Relu")
        self.add("Add", [negative])

    def flatten_to_dense(self, matrix: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        """The dense layer behind the last map, which the weights flatten in the order width, height, channel."""
        side = round((matrix.shape[0] / self._channels) ** 0.5)
        by_axis = matrix.reshape(side, side, self._channels, -1)
        self.add("Flatten")
        self._dense(by_axis.transpose(2, 1, 0, 3).reshape(matrix.shape), bias)

    def head(self, name: str, weights: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        """One output; the softmax's two classes (no face, face) become their difference, the log odds.

        A float32 probability rounds to 1 for many windows around a clear face, which then tie.
        """
        if name == "logits":
            weights, bias = weights[..., 1:] - weights[..., :1], bias[1:] - bias[:1]
        trunk = self._last
        (self.conv if weights.ndim == 4 else self._dense)(weights, bias)
        self._nodes[-1].output[0] = name
        shape: list[str | int | None] = ["n", len(bias), *(("rows", "columns") if self._spatial else ())]
        self._outputs.append(self._helper.make_tensor_value_info(name, self._float, shape))
        self._last = trunk

    def model(self, net: str) -> ModelProto:
        graph = self._helper.make_graph(self._nodes, net, self._inputs, self._outputs, self._initializers)
        opset = self._helper.make_opsetid("", _OPSET)
        return self._helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION)

    def _dense(self, matrix: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        self.add("Gemm", [self._constant(matrix), self._constant(bias)])

    def _constant(self, values: NDArray[np.float32] | np.float32) -> str:
        name = f"c{len(self._initializers)}"
        self._initializers.append(self._to_tensor(np.ascontiguousarray(values).reshape(np.shape(values)), name))
        return name
