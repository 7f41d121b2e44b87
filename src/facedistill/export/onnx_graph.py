"""What the ONNX targets share: a net as one ONNX file, run by onnxruntime and compared with torch."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from facedistill.errors import FacedistillError
from facedistill.export.exporter import Proof, Requirement, prove
from facedistill.files import atomic_path
from facedistill.onnx_files import open_session

MAX_DIFFERENCE = 1e-4

ONNX_PACKAGES = Requirement(("onnxscript",), 'pip install "facedistill[export]"')

Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


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
    model = onnx_graph(net, output, crops)
    onnx.helper.set_model_props(model, metadata)
    with save_proven(model, path) as run:
        return prove_onnx(path, net, run, crops)


def onnx_graph(net: nn.Module, output: str, crops: NDArray[np.uint8], fold_norms: bool = True) -> onnx.ModelProto:
    """A net with its preprocessing inside as a graph with a batch of any size.

    Args:
        net: uint8 [B, H, W, 3] -> one tensor [B, N].
        output: The output's name; the input is called `crops`.
        crops: uint8 [B, H, W, 3], for their size.
        fold_norms: Whether batch norms become part of the layer before. Otherwise every initialiser that is a parameter
            or buffer keeps its value and its name in the net's state dict.

    Raises:
        FacedistillError: Torch gives no graph.
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
            optimize=fold_norms,
        )
    if program is None:
        raise FacedistillError("torch gave no ONNX graph of the net; please report this with the recipe")
    model = program.model_proto
    if not fold_norms:
        _fold_constants(model, net)
    _remove_origin(model.graph)
    return model


@contextmanager
def save_proven(model: onnx.ModelProto, path: Path) -> Iterator[Run]:
    """Saves a model and yields what runs the file; it stays at `path` when the block ends without an error."""
    with atomic_path(path) as temporary:
        onnx.save(model, temporary)
        session = open_session(temporary, str(path), "export it again")
        yield lambda batch: session.run(None, {"crops": batch})[0]


def prove_onnx(
    path: Path, net: nn.Module, run: Run, crops: NDArray[np.uint8], max_difference: float = MAX_DIFFERENCE
) -> Proof:
    """`prove` of what onnxruntime runs, against a net in evaluation mode on the CPU."""
    return prove(
        path,
        net.eval().cpu(),
        run,
        crops,
        runtime="onnxruntime",
        version=onnxruntime.__version__,
        max_difference=max_difference,
    )


def _fold_constants(model: onnx.ModelProto, net: nn.Module) -> None:
    """Computes what depends on no input, and removes the biases of zero that torch gives layers without one."""
    from onnxscript import optimizer  # takes a second to import

    learned = dict(net.named_parameters())

    def should_fold(node: Any) -> bool | None:  # a slope that is folded into its other shape would lose its name
        return False if node.op_type in ("Reshape", "Unsqueeze") and node.inputs[0].name in learned else None

    optimizer.fold_constants(model, should_fold=should_fold)
    arrays = {entry.name: entry for entry in model.graph.initializer if entry.name not in learned}
    for node in model.graph.node:
        bias = arrays.get(node.input[2]) if node.op_type in ("Conv", "Gemm") and len(node.input) == 3 else None
        if bias is not None and not numpy_helper.to_array(bias).any():
            del node.input[2]
    optimizer.remove_unused_nodes(model)


def _remove_origin(graph: onnx.GraphProto) -> None:
    """Removes torch's notes on each node: up to half a megabyte of stack traces with this machine's paths."""
    for part in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
