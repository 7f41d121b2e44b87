"""A trained net as files of 32, 16 and 8 bits a weight."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static, shape_inference
from onnxruntime.transformers.float16 import convert_float_to_float16

from facedistill.backbones import Backbone
from facedistill.export import OnnxFace
from facedistill.files import atomic_path
from facedistill.model_file import ModelMetadata

BITS = (32, 16, 8)
_INPUT = "crops"


def write_files(backbone: Backbone, folder: Path, name: str, faces: NDArray[np.uint8]) -> dict[int, Path]:
    """Writes NAME-32.onnx, NAME-16.onnx and NAME-8.onnx; each takes uint8 crops and gives float32 embeddings.

    Args:
        backbone: The trained net.
        folder: Where to write.
        name: Of the files.
        faces: uint8 [B, H, W, 3], crops of people who were trained on; the activations' ranges are taken from them.
    """
    paths = {bits: folder / f"{name}-{bits}.onnx" for bits in BITS}
    metadata = ModelMetadata(name, backbone.input_size, backbone.embedding_size)
    OnnxFace().write(backbone, paths[32], metadata, faces[:64])
    with atomic_path(paths[16]) as temporary:
        onnx.save(convert_float_to_float16(onnx.load(paths[32]), keep_io_types=True), temporary)
    with atomic_path(paths[8]) as temporary:
        _write_int8(paths[32], temporary, faces)
    return paths


def _write_int8(source: Path, out: Path, faces: NDArray[np.uint8]) -> None:
    """Static, per channel, QDQ; the head of the graph, which scales pixels, and its tail, which normalises, stay."""
    model = onnx.load(source)
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        # Symbolic shape inference crashes on the graphs of torch's exporter.
        shape_inference.quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(out),
            _Faces(faces),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Gemm", "MatMul"],
            per_channel=True,
            reduce_range=True,  # without VNNI the products of 8 bits overflow; the seventh bit costs little
            weight_type=QuantType.QInt8,
        )
    quantised = onnx.load(out)
    onnx.helper.set_model_props(quantised, {entry.key: entry.value for entry in model.metadata_props})
    onnx.save(quantised, out)


class _Faces(CalibrationDataReader):  # type: ignore[misc]
    """Batches of faces, in the form of onnxruntime's calibration."""

    def __init__(self, faces: NDArray[np.uint8], batch: int = 16) -> None:
        self._batches: Iterator[NDArray[np.uint8]] = iter(np.array_split(faces, max(1, len(faces) // batch)))

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next batch, None at the end."""
        batch = next(self._batches, None)
        return None if batch is None else {_INPUT: batch}
