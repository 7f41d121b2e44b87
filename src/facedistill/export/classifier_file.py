"""A trained image classifier becomes one ONNX file: uint8 RGB pictures in, class scores out."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from torch import Tensor, nn

from facedistill.backbones import Backbone, normalise_crops
from facedistill.export.onnx_file import write_graph
from facedistill.heads import Head

_KEY = "facedistill-classifier"


class _ClassifierFileNet(nn.Module):
    """The net with its preprocessing before it and its head's scores behind it."""

    def __init__(self, backbone: Backbone, head: Head) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, crops: Tensor) -> Tensor:
        return self.head.scores(self.backbone(normalise_crops(crops)).embedding)


def export_classifier(
    backbone: Backbone, head: Head, path: Path, classes: Sequence[str], licence: str, pictures: NDArray[np.uint8]
) -> float:
    """Writes a classifier, if the file says what torch says.

    Args:
        backbone: The trained net.
        head: What makes class scores of its embeddings.
        path: Where to write; nothing is written when parity fails.
        classes: Their names, which travel in the file's metadata.
        licence: One sentence on what the weights may be used for.
        pictures: uint8 [B, H, W, 3], on which parity is judged.

    Returns:
        The largest difference to torch, see `write_graph`.

    Raises:
        FacedistillError: See `write_graph`.
    """
    said = json.dumps({"classes": list(classes), "licence": licence})
    return write_graph(_ClassifierFileNet(backbone, head), path, "scores", {_KEY: said}, pictures)


def class_scores(path: Path, pictures: NDArray[np.uint8], batch: int = 64) -> NDArray[np.float32]:
    """The scores [B, C] of an exported classifier for pictures uint8 [B, H, W, 3]."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    parts = [session.run(None, {"crops": pictures[i : i + batch]})[0] for i in range(0, len(pictures), batch)]
    return np.concatenate(parts).astype(np.float32, copy=False)
