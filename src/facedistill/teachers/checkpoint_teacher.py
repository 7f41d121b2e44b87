"""Checkpoints as teachers, ours and insightface's; the only teacher that needs torch."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import UsageError
from facedistill.faces import crop_convention
from facedistill.teachers.teacher import BatchedTeacher

if TYPE_CHECKING:
    from facedistill.backbones.base import Backbone


def load_checkpoint(path: Path) -> "CheckpointTeacher":
    """Loads what `facedistill train` or `facedistill distill` wrote, or arcface_torch's `backbone.pth`.

    Raises:
        UsageError: torch is not installed, or the net's input size is no known crop convention.
        FacedistillError: The file is damaged, no checkpoint, or its weights do not fit its description.
    """
    try:
        from facedistill.backbones import load_backbone
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise UsageError(
            f"teacher {path} is a checkpoint and needs torch; run `pip install 'facedistill[train]'`"
        ) from error
    return CheckpointTeacher(path, load_backbone(path))


class CheckpointTeacher(BatchedTeacher):
    """A net of ours as a teacher; made by `load_checkpoint`.

    Args:
        path: The checkpoint.
        backbone: Its net.
    """

    def __init__(self, path: Path, backbone: "Backbone") -> None:
        height, width = backbone.input_size
        super().__init__(
            name=path.stem,
            input_size=crop_convention((height, width)).size,
            embedding_size=backbone.embedding_size,
            normalisation="RGB, (x - 127.5) / 128",
            weights_digest=_weights_digest(backbone),
        )
        self.backbone = backbone

    def _run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        from facedistill.backbones import embed_crops

        return embed_crops(self.backbone, crops)


def _weights_digest(backbone: "Backbone") -> str:
    """SHA-256 over the description and the weights: two files with the same net agree."""
    digest = hashlib.sha256(repr(sorted(backbone.spec.items())).encode())
    for key, tensor in sorted(backbone.state_dict().items()):
        digest.update(f"{key} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
