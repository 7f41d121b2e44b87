"""Checkpoints as teachers, ours and insightface's. Loads torch."""

import hashlib
from pathlib import Path

from facedistill.backbones import Backbone, load_backbone
from facedistill.faces import crop_convention
from facedistill.teachers.torch_teacher import TorchTeacher


class CheckpointTeacher(TorchTeacher):
    """What `facedistill train` or `facedistill distill` wrote, or arcface_torch's `backbone.pth`, as a teacher.

    Args:
        path: The checkpoint.
        device: Where it runs.

    Attributes:
        path: As given.

    Raises:
        UsageError: The net's input size is no known crop convention.
        FacedistillError: The file is damaged, no checkpoint, or its weights do not fit its description.
    """

    def __init__(self, path: Path, device: str = "cpu") -> None:
        backbone = load_backbone(path)
        height, width = backbone.input_size
        super().__init__(
            backbone,
            device,
            name=path.stem,
            input_size=crop_convention((height, width)).size,
            embedding_size=backbone.embedding_size,
            normalisation="RGB, (x - 127.5) / 128",
            weights_digest=_weights_digest(backbone),
        )
        self.path = path


def _weights_digest(backbone: Backbone) -> str:
    """SHA-256 over the description and the weights: two files with the same net agree."""
    digest = hashlib.sha256(repr(sorted(backbone.spec.items())).encode())
    for key, tensor in sorted(backbone.state_dict().items()):
        digest.update(f"{key} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
