"""An ONNX model that needs no torch and still separates people: means of blocks of 8 x 8 pixels of a crop."""

from pathlib import Path

import numpy as np
import onnx

from facedistill.model_file import ModelMetadata


def write_block_means(path: Path, metadata: ModelMetadata | None = None) -> Path:
    """Takes uint8 crops of 112x96, or of the metadata's size; gives means less mid-grey, 504 of 112x96.

    A model file, with `metadata`, has unit length.
    """
    unit = metadata is not None
    height, width = metadata.crop_size if metadata else (112, 96)
    length = 3 * (height // 8) * (width // 8)
    nodes = [
        onnx.helper.make_node("Cast", ["crops"], ["f"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Transpose", ["f"], ["x"], perm=[0, 3, 1, 2]),
        onnx.helper.make_node("Conv", ["x", "w"], ["y"], strides=[8, 8], group=3),
        onnx.helper.make_node("Sub", ["y", "m"], ["z"]),
        onnx.helper.make_node("Flatten", ["z"], ["flat" if unit else "embedding"]),
    ]
    if unit:
        nodes.append(onnx.helper.make_node("LpNormalization", ["flat"], ["embedding"], axis=1, p=2))
    graph = onnx.helper.make_graph(
        nodes,
        "block means",
        [onnx.helper.make_tensor_value_info("crops", onnx.TensorProto.UINT8, ["b", height, width, 3])],
        [onnx.helper.make_tensor_value_info("embedding", onnx.TensorProto.FLOAT, ["b", length])],
        [
            onnx.numpy_helper.from_array(np.full((3, 1, 8, 8), 1 / 64, np.float32), "w"),
            onnx.numpy_helper.from_array(np.float32(127.5), "m"),
        ],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    onnx.helper.set_model_props(model, metadata.to_map() if metadata else {})
    onnx.save(model, path)
    return path
