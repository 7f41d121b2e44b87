"""A trained net becomes the model file: uint8 RGB crops in, unit-length embeddings out."""

import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from facedistill.backbones import Backbone, normalise_crops
from facedistill.errors import FacedistillError
from facedistill.files import atomic_path
from facedistill.model_file import ModelMetadata

MAX_PARITY_ERROR = 1e-4


class _ModelFileNet(nn.Module):
    """The net with its preprocessing before it and the normalisation behind it."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, crops: Tensor) -> Tensor:
        return normalize(self.backbone(normalise_crops(crops)).embedding, dim=1)


def export_model(backbone: Backbone, path: Path, metadata: ModelMetadata, faces: NDArray[np.uint8]) -> float:
    """Writes the model file, if it says what torch says.

    Args:
        backbone: The trained net.
        path: Where to write; nothing is written when parity fails.
        metadata: What travels in the file.
        faces: uint8 [B, H, W, 3], real aligned crops on which parity is judged.

    Returns:
        The largest absolute difference between the file's embeddings and torch's.

    Raises:
        FacedistillError: The difference exceeds `MAX_PARITY_ERROR`, or the file cannot be written.
    """
    return write_graph(_ModelFileNet(backbone), path, "embedding", metadata.to_map(), faces)


def write_graph(
    net: nn.Module, path: Path, output: str, metadata: dict[str, str], pictures: NDArray[np.uint8]
) -> float:
    """Writes a net with its preprocessing inside as one ONNX file, if the file says what torch says.

    Args:
        net: uint8 [B, H, W, 3] -> one tensor [B, N].
        path: Where to write; nothing is written when parity fails.
        output: The output's name; the input is called `crops`.
        metadata: What travels in the file.
        pictures: uint8 [B, H, W, 3], on which parity is judged.

    Returns:
        The largest absolute difference to torch, as a share of the largest output where that is above 1.

    Raises:
        FacedistillError: It exceeds `MAX_PARITY_ERROR`, or the file cannot be written.
    """
    net = net.eval().cpu()
    # Two pictures, so that the batch stays an axis of any length; one would be taken for a constant.
    example = torch.zeros((2, *pictures.shape[1:]), dtype=torch.uint8)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            net,
            (example,),
            input_names=["crops"],
            output_names=[output],
            dynamic_shapes={"crops": {0: torch.export.Dim("batch")}},
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise FacedistillError(f"{path}: torch gave no ONNX graph")
    model = program.model_proto
    _forget_origin(model.graph)
    onnx.helper.set_model_props(model, metadata)
    with atomic_path(path) as temporary:
        onnx.save(model, temporary)
        error = _parity_error(net, temporary, pictures)
        if not error <= MAX_PARITY_ERROR:
            raise FacedistillError(
                f"{path} not written: its outputs differ from torch's by {error:.2g} "
                f"(at most {MAX_PARITY_ERROR:g} is allowed); please report this with the recipe"
            )
    return error


def _forget_origin(graph: onnx.GraphProto) -> None:
    """Takes out the exporter's notes on each node: up to half a megabyte of stack traces with this machine's paths."""
    for part in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""


def _parity_error(net: nn.Module, path: Path, pictures: NDArray[np.uint8]) -> float:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for start in range(0, len(pictures), 32):
        crops = pictures[start : start + 32]
        with torch.inference_mode():
            expected = net(torch.from_numpy(crops)).numpy()
        (said,) = session.run(None, {"crops": crops})
        worst = max(worst, float(np.abs(said - expected).max() / max(1.0, np.abs(expected).max())))
    return worst
