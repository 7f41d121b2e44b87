"""The export target `onnx_classifier`: uint8 RGB pictures in, class scores out."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from facedistill.backbones import Backbone, normalise_crops
from facedistill.checks import check_count
from facedistill.export.exporter import EXPORTERS, Proof
from facedistill.export.onnx_graph import ONNX_PACKAGES, write_onnx
from facedistill.heads import Head
from facedistill.onnx_files import open_session

_KEY = "facedistill-classifier"


@dataclass(frozen=True)
class ClassifierMetadata:
    """What travels in a classifier's file, as JSON under the ONNX metadata key `facedistill-classifier`.

    Attributes:
        classes: The classes' names.
        licence: What a user may do with the weights.
    """

    classes: tuple[str, ...]
    licence: str


class Classifier(nn.Module):
    """A backbone between its preprocessing and its head: uint8 [B, H, W, 3] RGB -> class scores [B, C]."""

    def __init__(self, backbone: Backbone, head: Head) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, crops: Tensor) -> Tensor:
        """Class scores."""
        return self.head.scores(self.backbone(normalise_crops(crops)).embedding)


@EXPORTERS.register("onnx_classifier")
class OnnxClassifier:
    """An image classifier as one ONNX file; `class_scores` runs it."""

    name = "onnx_classifier"
    suffix = ".onnx"
    requires = ONNX_PACKAGES

    def write(self, net: Classifier, path: Path, metadata: ClassifierMetadata, crops: NDArray[np.uint8]) -> Proof:
        """See `Exporter.write`."""
        return write_onnx(net, path, "scores", {_KEY: json.dumps(asdict(metadata))}, crops)


def class_scores(path: Path, pictures: NDArray[np.uint8], batch: int = 64) -> NDArray[np.float32]:
    """The scores [B, C] of an exported classifier for pictures uint8 [B, H, W, 3]."""
    check_count("batch", batch)
    session = open_session(path, str(path), "export it again")
    parts = [session.run(None, {"crops": pictures[i : i + batch]})[0] for i in range(0, len(pictures), batch)]
    return np.concatenate(parts).astype(np.float32, copy=False)
