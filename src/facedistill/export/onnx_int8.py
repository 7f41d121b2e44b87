"""The export target `onnx_int8`: the model file with weights of 8 bits, about a quarter of the size.

A runtime turns the weights into float32 when it opens the file, by a cast and a product of constants, and folds the
norms into them, so a face takes as long as with the target `onnx`. (The operator made for it, DequantizeLinear, is not
folded: onnxruntime keeps it for quantised kernels and runs it with every face, which measured four times as slow.)
"""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from facedistill.backbones import Backbone
from facedistill.backbones.int8_weights import NUMBERS, ROOT, SCALE, int8_weights, with_int8_weights
from facedistill.errors import FacedistillError
from facedistill.export.exporter import EXPORTERS, Proof
from facedistill.export.onnx_face import FaceEmbedder
from facedistill.export.onnx_graph import ONNX_PACKAGES, onnx_graph, prove_onnx, save_proven
from facedistill.model_file import ModelMetadata

MAX_DIFFERENCE = 0.05  # of one number of a unit embedding, by rounding the weights

_CONV_DEFAULTS = {"auto_pad": b"NOTSET", "dilations": [1, 1], "group": 1, "pads": [0, 0, 0, 0], "strides": [1, 1]}


@EXPORTERS.register("onnx_int8")
class OnnxInt8:
    """The model file that `runtime.Recognizer` opens, its convolutions and matrices stored as int8."""

    name = "onnx_int8"
    suffix = ".onnx"
    requires = ONNX_PACKAGES

    def write(self, net: Backbone, path: Path, metadata: ModelMetadata, crops: NDArray[np.uint8]) -> Proof:
        """See `Exporter.write`; the file is compared with the rounded net strictly, and then with the net itself."""
        model = onnx_graph(FaceEmbedder(with_int8_weights(net)), "embedding", crops, fold_norms=False)
        _store_int8(path, model.graph, net)
        helper.set_model_props(model, metadata.to_map())
        rounded = FaceEmbedder(with_int8_weights(net))
        with save_proven(model, path) as run:
            prove_onnx(path, rounded, run, crops)
            return prove_onnx(path, FaceEmbedder(net), run, crops, MAX_DIFFERENCE)


def _store_int8(path: Path, graph: onnx.GraphProto, net: Backbone) -> None:
    """Puts int8 numbers and scales in the place of float weights, and what multiplies them before all other nodes."""
    floats = {entry.name: entry for entry in graph.initializer}
    nodes = []
    for key, (numbers, scale) in int8_weights(net).items():
        name = ROOT + key
        if name not in floats:
            raise FacedistillError(f"{path}: {key} of the net is not in its graph; export it without int8 weights")
        graph.initializer.remove(floats[name])
        graph.initializer.append(numpy_helper.from_array(numbers.numpy(), name + NUMBERS))
        graph.initializer.append(numpy_helper.from_array(scale.numpy(), name + SCALE))
        nodes.append(helper.make_node("Cast", [name + NUMBERS], [f"{name}_float"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", [f"{name}_float", name + SCALE], [name]))
    nodes.extend(graph.node)
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    _shorten(graph)


def _shorten(graph: onnx.GraphProto) -> None:
    """Leaves out names that nobody reads and attributes of convolutions at their defaults: 3 % of a small file."""
    kept = {entry.name for entry in graph.output}
    outputs = [name for node in graph.node for name in node.output]
    short = {name: f"v{number}" for number, name in enumerate(outputs) if name not in kept}
    for node in graph.node:
        node.name = ""
        node.input[:] = [short.get(name, name) for name in node.input]
        node.output[:] = [short.get(name, name) for name in node.output]
        for entry in list(node.attribute):
            if node.op_type == "Conv" and helper.get_attribute_value(entry) == _CONV_DEFAULTS.get(entry.name):
                node.attribute.remove(entry)
