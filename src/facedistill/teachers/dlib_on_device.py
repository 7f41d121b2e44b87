"""dlib's net in torch, for devices on which onnxruntime is not as fast. Loads torch."""

from pathlib import Path

from facedistill.faces import CROP_150X150
from facedistill.teachers.dlib_teacher import dlib_onnx, load_dlib
from facedistill.teachers.start import dlib_backbone
from facedistill.teachers.torch_teacher import TorchTeacher


class DlibOnDevice(TorchTeacher):
    """The dlib net in torch; it is known by the digest of the ONNX one, and caches of the one serve the other.

    Args:
        device: Where it runs.

    Attributes:
        path: The net as an ONNX file, by which its size and its time on the CPU are measured.

    Raises:
        UsageError: The package with the weights is not installed.
        FacedistillError: Its file is damaged, or the cache folder cannot be written.
    """

    def __init__(self, device: str) -> None:
        known = load_dlib()
        super().__init__(
            dlib_backbone(CROP_150X150.size),
            device,
            name=known.name,
            input_size=known.input_size,
            embedding_size=known.embedding_size,
            normalisation=known.normalisation,
            weights_digest=known.weights_digest,
        )
        self.path: Path = dlib_onnx()
