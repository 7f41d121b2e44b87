"""Checkpoints as teachers, ours and those of others. Loads torch."""

import hashlib
from pathlib import Path

from facedistill.backbones import Backbone, load_backbone
from facedistill.backbones.preprocessing import Preprocessing
from facedistill.faces import crop_convention
from facedistill.teachers.torch_teacher import TorchTeacher


class CheckpointTeacher(TorchTeacher):
    """What `facedistill train` or `facedistill distill` wrote, or an iresnet that others trained, as a teacher.

    Args:
        path: The checkpoint; see `load_backbone`.
        device: Where it runs.
        preprocessing: What a net of others was trained on; None takes what its origin uses.

    Attributes:
        path: As given.

    Raises:
        UsageError: `preprocessing` is given for a checkpoint of ours; or no crop convention is of the net's input size.
        FacedistillError: The file is damaged, no checkpoint, or its weights do not fit its description.
    """

    def __init__(self, path: Path, device: str = "cpu", preprocessing: Preprocessing | None = None) -> None:
        backbone = load_backbone(path, preprocessing)
        height, width = backbone.input_size
        super().__init__(
            backbone,
            device,
            name=path.stem,
            input_size=crop_convention((height, width)).size,
            embedding_size=backbone.embedding_size,
            normalisation=str(backbone.preprocessing),
            weights_digest=_weights_digest(backbone),
        )
        self.path = path


def _weights_digest(backbone: Backbone) -> str:
    """SHA-256 over the description and the weights: two files with the same net agree."""
    digest = hashlib.sha256(repr(sorted(backbone.spec.items())).encode())
    if backbone.preprocessing.offset:  # all else of it is in the weights
        digest.update(f"{backbone.preprocessing.offset}".encode())
    for key, tensor in sorted(backbone.state_dict().items()):
        digest.update(f"{key} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
