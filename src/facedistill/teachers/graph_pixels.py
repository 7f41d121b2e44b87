"""What a graph does to pixels before its first layer: a net that normalises inside must not get normalised pixels.

Exports from MXNet begin with Sub and Mul, others with a batch normalisation of the input or a cast to uint8.
insightface looks for Sub and Mul among the first nodes (https://github.com/deepinsight/insightface, `arcface_onnx.py`);
here the first nodes are followed and composed to one map x -> scale * x + shift per channel.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

_SAME = ("Identity", "Transpose", "Dropout", "QuantizeLinear", "DequantizeLinear")
_ARITHMETIC = ("Add", "Sub", "Mul", "Div")
_MOST_NODES = 32
_TYPICAL_SPREAD = 1.5  # half of the range of pixels behind a normalisation: 1 for -1..1, 2.2 for ImageNet's

# What a net may expect, as (lowest, highest) pixel, and the mean and std that give it.
_RANGES = {(0.0, 255.0): (0.0, 1.0), (0.0, 1.0): (0.0, 255.0), (-1.0, 1.0): (127.5, 127.5)}


@dataclass(frozen=True)
class GraphPixels:
    """What a graph does to pixels itself.

    Attributes:
        mean: By which the pixels must be preprocessed before the graph gets them.
        std: Likewise.
        words: What was found, such as "the graph itself computes (x - 127.5) / 128".
    """

    mean: float
    std: float
    words: str


@dataclass(frozen=True)
class _Map:
    """x -> scale * x + shift, one number or one a channel."""

    scale: NDArray[np.float64]
    shift: NDArray[np.float64]

    @property
    def words(self) -> str:
        scale, mean = self.scale.mean(), (-self.shift / self.scale).mean()
        channels = " (means of the channels)" if max(self.scale.size, self.shift.size) > 1 else ""
        return f"(x - {mean:.4g}) * {scale:.4g}{channels}"


def graph_pixels(path: Path) -> GraphPixels | None:
    """Reads what a graph does to its pictures before its first layer; None where it does nothing that decides.

    Args:
        path: An ONNX file with one input of pictures, which onnxruntime has opened.
    """
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    try:
        constants = _constants(graph, path.parent)
    except Exception:  # onnx's errors share no base class; what onnxruntime never reads need not be sound
        return None
    name = next(entry.name for entry in graph.input if entry.name not in constants)
    done = _Map(np.ones(1), np.zeros(1))
    for _ in range(_MOST_NODES):
        readers = [node for node in graph.node if name in node.input and node.op_type != "Shape"]
        if len(readers) != 1:
            break
        (node,) = readers
        if node.op_type == "Cast":
            if _casts_to_whole(node):
                return GraphPixels(0.0, 1.0, "the graph itself rounds pixels to whole numbers")
        elif node.op_type not in _SAME:
            composed = _composed(done, node, name, constants)
            if composed is None:
                break
            done = composed
        name = node.output[0]
    if np.all(done.scale == 1) and np.all(done.shift == 0):
        return None
    if not (np.isfinite(done.scale).all() and np.isfinite(done.shift).all() and (done.scale != 0).all()):
        return None
    mean, std = min(_RANGES.items(), key=lambda item: _strangeness(done, *item[0]))[1]
    return GraphPixels(mean, std, f"the graph itself computes {done.words}")


def _strangeness(done: _Map, lowest: float, highest: float) -> float:
    """How far a range of pixels is, behind the graph's own map, from what nets are trained with."""
    ends = np.stack([done.scale * lowest + done.shift, done.scale * highest + done.shift])
    centre, half = ends.mean(), np.abs(ends[1] - ends[0]).mean() / 2
    return float(abs(np.log(half / _TYPICAL_SPREAD)) + abs(centre) / half)


def _constants(graph: "onnx.GraphProto", folder: Path) -> Mapping[str, NDArray[np.generic]]:
    """A graph's constants of one number or three, and empty arrays for the others, which are no mean or scale."""
    from onnx import numpy_helper
    from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data

    tensors = {entry.name: entry for entry in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            tensors[node.output[0]] = node.attribute[0].t
    values: dict[str, NDArray[np.generic]] = dict.fromkeys(tensors, np.empty(0))
    for name, tensor in tensors.items():
        if math.prod(tensor.dims) in (1, 3):
            if uses_external_data(tensor):
                load_external_data_for_tensor(tensor, str(folder))
            values[name] = numpy_helper.to_array(tensor)
    return values


def _casts_to_whole(node: "onnx.NodeProto") -> bool:
    from onnx import TensorProto

    whole = (TensorProto.UINT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64)
    return any(entry.name == "to" and entry.i in whole for entry in node.attribute)


def _composed(done: _Map, node: "onnx.NodeProto", name: str, known: Mapping[str, NDArray[np.generic]]) -> _Map | None:
    """The map behind one more node; None where it is none of its kind."""
    if node.op_type == "BatchNormalization":
        parts = [known.get(each, np.empty(0)).astype(np.float64) for each in node.input[1:5]]
        if any(part.size not in (1, 3) for part in parts) or len(parts) != 4:
            return None
        scale, shift, mean, variance = parts
        epsilon = next((entry.f for entry in node.attribute if entry.name == "epsilon"), 1e-5)
        factor = scale / np.sqrt(variance + epsilon)
        return _Map(done.scale * factor, (done.shift - mean) * factor + shift)
    if node.op_type not in _ARITHMETIC or len(node.input) != 2:
        return None
    first = node.input[0] == name
    number = known.get(node.input[1 if first else 0], np.empty(0)).astype(np.float64).ravel()
    if number.size not in (1, 3):
        return None
    if node.op_type in ("Add", "Sub"):
        sign = -1.0 if node.op_type == "Sub" else 1.0
        if first:
            return replace(done, shift=done.shift + sign * number)
        return _Map(sign * done.scale, sign * done.shift + number)
    if node.op_type == "Div" and not first:
        return None
    factor = 1 / number if node.op_type == "Div" else number
    return _Map(done.scale * factor, done.shift * factor)
