"""Tiny teachers as real ONNX files, and what they must say, in float64."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tests.foreign_nets import foreign

POOL = 16


@dataclass
class TinyNet:
    """Block means of 16x16 pixels, times a fixed random matrix."""

    path: Path
    matrix: NDArray[np.float64]
    mean: float = 0.0
    std: float = 1.0
    bgr: bool = False

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float64]:
        x = ((crops[..., ::-1] if self.bgr else crops).astype(np.float64) - self.mean) / self.std
        b, h, w, _ = x.shape
        x = x[:, : h // POOL * POOL, : w // POOL * POOL]
        blocks = x.reshape(b, h // POOL, POOL, w // POOL, POOL, 3).mean(axis=(2, 4))
        return blocks.transpose(0, 3, 1, 2).reshape(b, len(self.matrix)) @ self.matrix


@pytest.fixture
def tiny_net(tmp_path: Path) -> Callable[..., TinyNet]:
    def make(
        name: str = "tiny.onnx",
        size: tuple[int, int] = (112, 96),
        uint8: bool = True,
        batch: int | str = "batch",
        dimension: int = 16,
        seed: int = 0,
        metadata: dict[str, str] | None = None,
        extra_output: str = "",
        free_size: bool = False,
        matrix: NDArray[np.float64] | None = None,
    ) -> TinyNet:
        height, width = size
        features = 3 * (height // POOL) * (width // POOL)
        if matrix is None:
            matrix = np.random.default_rng(seed).normal(size=(features, dimension)) / features
        nodes = [
            helper.make_node("AveragePool", ["x"], ["pooled"], kernel_shape=[POOL, POOL], strides=[POOL, POOL]),
            helper.make_node("Flatten", ["pooled"], ["flat"], axis=1),
            helper.make_node("MatMul", ["flat", "matrix"], ["embedding"]),
        ]
        if uint8:
            nodes.insert(0, helper.make_node("Cast", ["crops"], ["float"], to=TensorProto.FLOAT))
            nodes.insert(1, helper.make_node("Transpose", ["float"], ["x"], perm=[0, 3, 1, 2]))
            entry = helper.make_tensor_value_info("crops", TensorProto.UINT8, [batch, height, width, 3])
        else:
            rows, columns = ("h", "w") if free_size else (height, width)
            entry = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, rows, columns])
        outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, None)]
        if extra_output:
            outputs.append(helper.make_tensor_value_info(extra_output, TensorProto.FLOAT, None))
        graph = helper.make_graph(
            nodes, "tiny", [entry], outputs, [numpy_helper.from_array(matrix.astype(np.float32), "matrix")]
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        helper.set_model_props(model, metadata or {})
        path = tmp_path / name
        onnx.save(model, path)
        return TinyNet(path, matrix.astype(np.float32).astype(np.float64))

    return make


@pytest.fixture
def crops() -> Callable[..., NDArray[np.uint8]]:
    def make(count: int, size: tuple[int, int] = (112, 96), seed: int = 0) -> NDArray[np.uint8]:
        return np.random.default_rng(seed).integers(0, 256, (count, *size, 3), dtype=np.uint8)

    return make


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    """The normalisation shows in the graph."""
    return foreign(tmp_path_factory.mktemp("foreign") / "raw.onnx")


@pytest.fixture(scope="module")
def opaque(tmp_path_factory) -> Path:
    """It does not."""
    return foreign(tmp_path_factory.mktemp("foreign") / "opaque.onnx", hidden=True)
