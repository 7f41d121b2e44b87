"""What the ONNX targets share: a net as one ONNX file, run by onnxruntime and compared with torch."""

import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from facedistill.errors import FacedistillError
from facedistill.export.exporter import Proof, Requirement, prove
from facedistill.files import atomic_path

MAX_DIFFERENCE = 1e-4

ONNX_PACKAGES = Requirement(("onnxscript",), 'pip install "facedistill[export]"')


def write_onnx(net: nn.Module, path: Path, output: str, metadata: dict[str, str], crops: NDArray[np.uint8]) -> Proof:
    """Writes a net with its preprocessing inside as one ONNX file with a batch of any size.

    Args:
        net: uint8 [B, H, W, 3] -> one tensor [B, N].
        path: Where to write; a failure leaves no file.
        output: The output's name; the input is called `crops`.
        metadata: The file's metadata map.
        crops: uint8 [B, H, W, 3], on which the file is compared with the net.

    Raises:
        FacedistillError: The outputs differ by more than `MAX_DIFFERENCE`, or the file cannot be written.
    """
    net = net.eval().cpu()
    # Two pictures, so that the batch stays an axis of any length; one would be taken for a constant.
    example = torch.zeros((2, *crops.shape[1:]), dtype=torch.uint8)
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
    _remove_origin(model.graph)
    onnx.helper.set_model_props(model, metadata)
    with atomic_path(path) as temporary:
        onnx.save(model, temporary)
        session = onnxruntime.InferenceSession(str(temporary), providers=["CPUExecutionProvider"])
        return prove(
            path,
            net,
            lambda batch: session.run(None, {"crops": batch})[0],
            crops,
            runtime="onnxruntime",
            version=onnxruntime.__version__,
            max_difference=MAX_DIFFERENCE,
        )


def _remove_origin(graph: onnx.GraphProto) -> None:
    """Removes torch's notes on each node: up to half a megabyte of stack traces with this machine's paths."""
    for part in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
