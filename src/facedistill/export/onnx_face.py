"""The export target `onnx`: the model file, uint8 RGB crops in, unit-length embeddings out."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from facedistill.backbones import Backbone, normalise_crops
from facedistill.export.exporter import EXPORTERS, Proof
from facedistill.export.onnx_graph import ONNX_PACKAGES, write_onnx
from facedistill.model_file import ModelMetadata


class FaceEmbedder(nn.Module):
    """A backbone between its preprocessing and the normalisation: uint8 [B, H, W, 3] RGB -> unit-length [B, D]."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, crops: Tensor) -> Tensor:
        """Embeddings of unit length."""
        return normalize(self.backbone(normalise_crops(crops)).embedding, dim=1)


@EXPORTERS.register("onnx")
class OnnxFace:
    """The model file that `runtime.Recognizer` opens."""

    name = "onnx"
    suffix = ".onnx"
    requires = ONNX_PACKAGES

    def write(self, net: Backbone, path: Path, metadata: ModelMetadata, crops: NDArray[np.uint8]) -> Proof:
        """See `Exporter.write`."""
        return write_onnx(FaceEmbedder(net), path, "embedding", metadata.to_map(), crops)
