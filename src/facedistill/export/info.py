"""The cost and the receptive field of a net, from its name, its checkpoint or its file."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, astuple, dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import shape_inference
from torch import fx, nn

from facedistill.backbones import BACKBONES, Backbone, build_backbone, count_macs, load_backbone
from facedistill.backbones.preprocessing import Preprocessing
from facedistill.errors import FacedistillError, UsageError
from facedistill.export.cost import file_cost, weight_counts
from facedistill.model_file import METADATA_KEY, ModelMetadata
from facedistill.models import nearest, shipped_models
from facedistill.onnx_files import load_graph, run_failure
from facedistill.teachers.onnx_teacher import OnnxTeacher, load_onnx
from facedistill.teachers.stated import Stated

_ONNX = ".onnx"
_NECK = ("Conv", "Flatten", "Gemm", "GlobalAveragePool", "MatMul", "ReduceMean", "Reshape")  # what ends the last map


@dataclass(frozen=True)
class NetInfo:
    """Facts about a net.

    Attributes:
        name: Its name in the registry, or the file's.
        parameters: Learned numbers; in a file, the numbers of its weights.
        macs: Multiply-accumulates of convolutions and linear layers for one face.
        size_mb: Bits per weight -> megabytes (1e6 bytes) of the weights; at 8 bits the vectors (biases, norms, slopes)
            keep 32. A file's graph adds some ten kilobytes.
        receptive_field: Rows (and columns) of the input that one position of the last map depends on, apart from the
            gates of squeeze-and-excitation, which see everything; it may exceed the crop. 1 without convolutions.
        embedding_size: Length of the embedding; None where a file does not state it.
        input_size: (height, width) of the crops; None where a file does not state it.
        file_mb: Size of the file given; None for a name.
        metadata: The metadata of a model file; empty for others.
        use: Of a foreign ONNX file, how it is used as a teacher, and how well that tells rendered people apart; or why
            it cannot be one. "" for others.
    """

    name: str
    parameters: int
    macs: int
    size_mb: dict[int, float]
    receptive_field: int
    embedding_size: int | None
    input_size: tuple[int, int] | None
    file_mb: float | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    use: str = ""


def net_info(
    net: str,
    width: float | None = None,
    se: bool = False,
    input_size: tuple[int, int] | None = None,
    stated: Stated | None = None,
) -> NetInfo:
    """Looks a net up.

    Args:
        net: A name in `BACKBONES`, a shipped model's, a checkpoint or an ONNX file.
        width: For a name: factor on all channel counts.
        se: For a name: with squeeze-and-excitation.
        input_size: For a name: (height, width) of the crops.
        stated: For a foreign ONNX file: what it does not state itself.

    Raises:
        UsageError: There is neither such a net nor such a file; or one is given what only the other takes.
        FacedistillError: The file is damaged.
    """
    stated = stated or Stated()
    if net in BACKBONES:
        stated.refuse(net)
        with torch.device("meta"):
            backbone = build_backbone(
                net, input_size=input_size or (112, 96), width=1.0 if width is None else width, se=se
            )
        return _of_backbone(net, backbone)
    path = shipped_models().get(net, Path(net))
    if not path.is_file():
        raise UsageError(
            f"{net} is neither a file nor a net; {nearest(net)}the nets are {', '.join(sorted(BACKBONES))}"
        )
    if width is not None or se or input_size is not None:
        raise UsageError(f"{net} is a file, which fixes its width, se and input; leave them out")
    if path.suffix.lower() == _ONNX:
        return _of_file(path, stated)
    stated.refuse(net, "size", "layout", "output")
    pixels = stated.pixels
    return _of_backbone(path.name, load_backbone(path, Preprocessing(*astuple(pixels)) if pixels else None), path)


def info_lines(info: NetInfo) -> Iterator[str]:
    """The figures as lines for people."""
    sizes = ", ".join(f"{size:.2f} MB at {bits} bits" for bits, size in info.size_mb.items())
    rows = {
        "net": info.name,
        "parameters": f"{info.parameters:,}",
        "multiply-accumulates": f"{info.macs / 1e6:,.1f} million a face",
        "weights": sizes,
        "file": f"{info.file_mb:.2f} MB" if info.file_mb is not None else None,
        "receptive field": f"{info.receptive_field} x {info.receptive_field} pixels",
        "embedding": f"{info.embedding_size} numbers" if info.embedding_size is not None else None,
        "crop": "x".join(map(str, info.input_size)) if info.input_size is not None else None,
        "as a teacher": info.use or None,
        **{key: json.dumps(value) for key, value in info.metadata.items() if value not in ({}, "")},
    }
    wide = max(len(name) for name in rows)
    return (f"{name:<{wide}}  {value}" for name, value in rows.items() if value is not None)


def _of_backbone(name: str, net: Backbone, path: Path | None = None) -> NetInfo:
    weights = list(net.parameters())
    matrices = sum(weight.numel() for weight in weights if weight.ndim > 1)
    vectors = sum(weight.numel() for weight in weights) - matrices
    return NetInfo(
        name,
        matrices + vectors,
        count_macs(net),
        _sizes(matrices, vectors),
        receptive_field(net),
        net.embedding_size,
        net.input_size,
        path.stat().st_size / 1e6 if path else None,
        net.spec if path else {},
    )


def _of_file(path: Path, stated: Stated) -> NetInfo:
    model = load_graph(path, str(path), "copy or export it again")
    entries = {entry.key: entry.value for entry in model.metadata_props}
    metadata = ModelMetadata.from_map(entries, str(path)) if METADATA_KEY in entries else None
    teacher, use, length, size = None, "", None, None
    if metadata:
        stated.refuse(path.name)
        length, size = metadata.embedding_size, metadata.crop_size
    else:
        teacher, use = _as_teacher(path, stated)
    if teacher:
        length, size = teacher.embedding_size, teacher.entry.size
    try:
        cost = file_cost(path, teacher.entry.shape if teacher else None)
        graph = shape_inference.infer_shapes(model, data_prop=True).graph
    except FacedistillError:
        raise
    except Exception as error:  # onnx's errors share no base class
        raise FacedistillError(f"{path} cannot be measured ({run_failure(error)}); export it again") from error
    matrices, vectors = weight_counts(graph)
    return NetInfo(
        path.name,
        cost.parameters,
        cost.macs,
        _sizes(matrices, vectors),
        _graph_receptive_field(graph),
        length,
        size,
        cost.size_mb,
        asdict(metadata) if metadata else {},
        use,
    )


def _as_teacher(path: Path, stated: Stated) -> tuple[OnnxTeacher | None, str]:
    """A foreign file as a teacher, and how; where it is none and nothing is stated, why."""
    try:
        teacher = load_onnx(path, stated)
    except FacedistillError as error:
        if stated.names:
            raise
        return None, f"none: {error}"
    return teacher, teacher.assumed


def _sizes(matrices: int, vectors: int) -> dict[int, float]:
    sizes = {32: 4 * (matrices + vectors), 16: 2 * (matrices + vectors), 8: matrices + 4 * vectors}
    return {bits: size / 1e6 for bits, size in sizes.items()}


@dataclass(frozen=True)
class _Step:
    """One operation of a graph: the values it reads and gives, the side of its window and its stride."""

    reads: tuple[str, ...]
    gives: str
    window: int = 1
    stride: int = 1


def _widest_view(steps: Iterable[_Step]) -> int:
    """How many rows the value that was given last depends on (Araujo et al. 2019, "Computing receptive fields").

    Steps come in an order in which every value is given before it is read. Of a sum's parts the widest counts.
    """
    views: dict[str, tuple[int, int]] = {}  # rows seen, and rows between two neighbours
    seen = (1, 1)
    for step in steps:
        rows, jump = max((views[name] for name in step.reads if name in views), default=(1, 1))
        seen = views[step.gives] = (rows + (step.window - 1) * jump, jump * step.stride)
    return seen[0]


def receptive_field(net: Backbone) -> int:
    """Rows of the input that one position of the last map depends on; see `NetInfo.receptive_field`."""
    return _widest_view(_module_steps(_Maps(net)))


class _Maps(nn.Module):
    def __init__(self, net: Backbone) -> None:
        super().__init__()
        self.net = net

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return self.net.maps(crops)[-1]


def _module_steps(net: nn.Module) -> Iterable[_Step]:
    traced = fx.symbolic_trace(net)
    for node in traced.graph.nodes:
        if node.op == "output":
            continue
        reads = tuple(source.name for source in node.all_input_nodes)
        layer = traced.get_submodule(node.target) if node.op == "call_module" else None
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
            yield _Step(reads, node.name, _side(layer.kernel_size), _side(layer.stride))
        else:
            yield _Step(reads, node.name)


def _side(size: int | tuple[int, ...]) -> int:
    return size if isinstance(size, int) else size[0]


def _graph_receptive_field(graph: onnx.GraphProto) -> int:
    """The same of an ONNX graph, whose last map is the last that a window slides over, with what is added to it."""
    sides = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim][2:] for value in graph.value_info}
    steps = []
    last = 0
    for node in graph.node:
        attributes = {entry.name: list(entry.ints) for entry in node.attribute if entry.ints}
        kernel = attributes.get("kernel_shape", [1, 1])
        steps.append(_Step(tuple(node.input), node.output[0], kernel[0], attributes.get("strides", [1])[0]))
        covers = kernel == sides.get(node.input[0] if node.input else "") and not any(attributes.get("pads", []))
        if node.op_type in ("Conv", "MaxPool", "AveragePool") and not covers:
            last = len(steps)
    last += sum(1 for _ in takewhile(lambda node: node.op_type not in _NECK, graph.node[last:]))
    return _widest_view(steps[:last])
