"""What a model file costs: bytes, parameters, multiply-accumulates and time, all read off the file itself."""

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import numpy_helper, shape_inference

from facedistill.checks import check_count
from facedistill.errors import FacedistillError
from facedistill.files import atomic_path
from facedistill.onnx_files import load_graph, open_session

_WARM_UP = 3
_TYPES = {"tensor(uint8)": np.uint8, "tensor(float16)": np.float16, "tensor(double)": np.float64}
_WIDENING = ("Cast", "DequantizeLinear", "Mul")


@dataclass(frozen=True)
class Cost:
    """What one file costs.

    Attributes:
        size_mb: Bytes on disk / 1e6.
        parameters: Numbers in the weights.
        macs: Multiply-accumulates of convolutions and matrix products for one face.
    """

    size_mb: float
    parameters: int
    macs: int


def file_cost(path: Path, shape: Sequence[int] | None = None) -> Cost:
    """Reads parameters and multiply-accumulates off an ONNX file.

    Args:
        path: The file.
        shape: Of its input for one picture, where the file leaves sides open; None takes those of the file.

    Raises:
        FacedistillError: The file is damaged, or a convolution's output size cannot be inferred.
    """
    model = load_graph(path, str(path), "copy or export it again")
    inputs = {entry.name for entry in model.graph.input}
    for entry in model.graph.input:
        dims = entry.type.tensor_type.shape.dim
        for dim, side in zip(dims, shape or [1], strict=False):
            dim.dim_value = side
    inferred = shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*inferred.value_info, *inferred.output)
    }
    weights = {w.name: tuple(w.dims) for w in inferred.initializer if w.name not in inputs}
    for node in inferred.node:  # weights stored in fewer bits reach their layer through these
        if node.op_type in _WIDENING and node.input[0] in weights:
            weights[node.output[0]] = weights[node.input[0]]
    macs = 0
    for node in inferred.node:
        kernel = next((weights[name] for name in node.input[1:2] if name in weights), None)
        if kernel is None or node.op_type not in ("Conv", "Gemm", "MatMul"):
            continue
        places = 1
        if node.op_type == "Conv":
            places = math.prod(shapes.get(node.output[0], [0])[2:])
            if not places:
                raise FacedistillError(
                    f"{path}: the size of {node.output[0]} cannot be inferred; give --size, or export it again"
                )
        macs += math.prod(kernel) * places
    matrices, vectors = weight_counts(inferred)
    return Cost(path.stat().st_size / 1e6, matrices + vectors, macs)


def write_closed(path: Path, shape: Sequence[int], out: Path) -> Path:
    """Writes a copy of an ONNX file whose input has a fixed shape, so that its cost can be measured.

    Args:
        path: The file; it has one input.
        shape: Of its input for one picture.
        out: The copy.

    Returns:
        `out`.
    """
    model = load_graph(path, str(path), "copy or export it again")
    constants = {tensor.name for tensor in model.graph.initializer}
    (entry,) = (entry for entry in model.graph.input if entry.name not in constants)
    for dim, side in zip(entry.type.tensor_type.shape.dim, shape, strict=True):
        dim.dim_value = side
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    with atomic_path(out) as temporary:
        onnx.save(model, temporary)
    return out


def total_cost(paths: Sequence[Path]) -> Cost:
    """What several files cost together."""
    return Cost(*(sum(figures) for figures in zip(*(astuple(file_cost(path)) for path in paths), strict=True)))


def weight_counts(graph: onnx.GraphProto) -> tuple[int, int]:
    """How many learned numbers a graph's filters and matrices hold, of any width in bits, and how many its vectors."""
    given = {weight.name for weight in graph.initializer}
    beside: set[str] = set()  # scales of weights in fewer bits, running statistics of norms
    for node in graph.node:
        if node.op_type in _WIDENING and node.input[0] in given:
            given |= set(node.output)
            beside |= set(node.input[1:])
        if node.op_type == "BatchNormalization":
            beside |= set(node.input[3:])
    arrays = [numpy_helper.to_array(weight) for weight in graph.initializer if weight.name not in beside]
    matrices = sum(
        array.size for array in arrays if array.ndim > 1 and (array.dtype.kind == "f" or array.itemsize == 1)
    )
    return matrices, sum(array.size for array in arrays if array.ndim <= 1 and array.dtype.kind == "f")


def latencies_ms(files: Mapping[str, Path], rounds: int = 30) -> dict[str, float]:
    """Median time of one face on one core, the files taking turns so that a drifting machine favours none.

    Args:
        files: Name -> ONNX file with one input, pictures.
        rounds: Counted runs of each file, after a few that are not.

    Returns:
        Name -> milliseconds.
    """
    check_count("rounds", rounds)
    sessions = {name: open_session(path, str(path), "export it again", threads=1) for name, path in files.items()}
    faces = {name: _one_face(session) for name, session in sessions.items()}
    times: dict[str, list[float]] = {name: [] for name in files}
    for turn in range(rounds + _WARM_UP):
        for name, session in sessions.items():
            started = time.perf_counter()
            session.run(None, faces[name])
            if turn >= _WARM_UP:
                times[name].append(1000 * (time.perf_counter() - started))
    return {name: statistics.median(taken) for name, taken in times.items()}


def _one_face(session: onnxruntime.InferenceSession) -> dict[str, NDArray[np.generic]]:
    (entry,) = session.get_inputs()
    shape = [size if isinstance(size, int) else 1 for size in entry.shape]
    return {entry.name: np.full(shape, 100, dtype=_TYPES.get(entry.type, np.float32))}
