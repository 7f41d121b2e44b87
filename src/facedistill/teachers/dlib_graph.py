"""dlib's net as one ONNX file: uint8 [B, 150, 150, 3] RGB in, float32 [B, 128] out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facedistill.files import atomic_path
from facedistill.teachers.dlib_net import PIXEL_SCALE, Convolution, DlibNet, FloatArray, ResidualUnit

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

_OPSET = 17
_IR_VERSION = 8  # what goes with that opset; older runtimes read it too


def write_dlib_onnx(net: DlibNet, path: Path) -> None:
    """Writes the net with its preprocessing inside and a dynamic batch; `path` is whole or untouched."""
    import onnx
    from onnx import TensorProto, helper

    graph = _Graph()
    x = graph.add("Cast", ["crops"], to=TensorProto.FLOAT)
    x = graph.add("Transpose", [x], perm=[0, 3, 1, 2])
    x = graph.add("Relu", [graph.convolution(x, _with_preprocessing(net))])
    x = graph.add("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2])
    side = _pooled(_pooled(net.side, 7, 2), 3, 2)
    for unit in net.units:
        x, side = graph.unit(x, side, unit)
    x = graph.add("Flatten", [graph.add("GlobalAveragePool", [x])], axis=1)
    graph.add("MatMul", [x, graph.constant(net.projection)], output="embedding")
    crops = helper.make_tensor_value_info("crops", TensorProto.UINT8, ["batch", net.side, net.side, 3])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", net.projection.shape[1]])
    proto = helper.make_graph(graph.nodes, "dlib_face_recognition_resnet_v1", [crops], [embedding], graph.initializers)
    opset = helper.make_opsetid("", _OPSET)
    model = helper.make_model(proto, producer_name="facedistill", opset_imports=[opset], ir_version=_IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    with atomic_path(path) as temporary:
        temporary.write_bytes(model.SerializeToString())


def _with_preprocessing(net: DlibNet) -> Convolution:
    """The stem on raw pixels: exact, because it pads nothing, so every tap sees a real pixel."""
    weight = net.stem.weight.astype(np.float64) / PIXEL_SCALE
    bias = net.stem.bias - (weight * np.array(net.means)[:, None, None]).sum(axis=(1, 2, 3))
    return Convolution(weight.astype(np.float32), bias.astype(np.float32), net.stem.stride, net.stem.padding)


def _pooled(side: int, window: int, stride: int) -> int:
    return (side - window) // stride + 1


class _Graph:
    """Collects nodes and constants; each method returns the name of what it adds."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []

    def add(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, values: FloatArray | list[int]) -> str:
        from onnx import numpy_helper

        name = f"constant_{len(self.initializers)}"
        array = np.array(values, dtype=np.int64) if isinstance(values, list) else values
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def convolution(self, x: str, layer: Convolution) -> str:
        inputs = [x, self.constant(layer.weight), self.constant(layer.bias)]
        kernel, strides, pads = [layer.weight.shape[2]] * 2, [layer.stride] * 2, [layer.padding] * 4
        return self.add("Conv", inputs, kernel_shape=kernel, strides=strides, pads=pads)

    def padded(self, x: str, channels: int, pixels: int) -> str:
        """Adds zero channels at the end, and zero rows and columns at the bottom and the right."""
        if channels == pixels == 0:
            return x
        return self.add("Pad", [x, self.constant([0, 0, 0, 0, 0, channels, pixels, pixels])])

    def unit(self, x: str, side: int, unit: ResidualUnit) -> tuple[str, int]:
        """One residual unit on a square of `side`; dlib fills the smaller summand with zeros to the larger's shape."""
        y = self.convolution(self.add("Relu", [self.convolution(x, unit.first)]), unit.second)
        if unit.halves:
            convolved, pooled = _pooled(side, 3, 2), _pooled(side, 2, 2)
            x = self.add("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])
            out, inner = unit.first.weight.shape[:2]
            side = max(convolved, pooled)
            x = self.padded(x, out - inner, side - pooled)
            y = self.padded(y, 0, side - convolved)
        return self.add("Relu", [self.add("Add", [y, x])]), side
