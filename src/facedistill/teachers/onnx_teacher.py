"""Teachers from ONNX files: our own model files, and foreign ones such as insightface's."""

import hashlib
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from facedistill.errors import FacedistillError, FacedistillWarning, UsageError
from facedistill.faces import crop_convention
from facedistill.files import file_digest
from facedistill.model_file import METADATA_KEY, ModelMetadata
from facedistill.onnx_files import CPU, open_session, run_failure, weight_files
from facedistill.teachers.teacher import DEFAULT_BATCH, BatchedTeacher

_CUDA = "CUDAExecutionProvider"
_DEVICE_BATCH = 256
_SHORTEST_EMBEDDING = 8  # a score or a box is shorter
_EXPECTED = "a face embedder takes uint8 [B, H, W, 3] or float [B, 3, H, W]"


def load_onnx(
    path: Path,
    mean: float = 127.5,
    std: float = 127.5,
    channels: Literal["rgb", "bgr"] = "rgb",
    name: str = "",
    weights_digest: str = "",
    device: str = "cpu",
) -> tuple["OnnxTeacher", bool]:
    """Loads an ONNX file as a teacher.

    Args:
        path: The file.
        mean: For float input: subtracted from each pixel.
        std: For float input: what the difference is divided by.
        channels: For float input: channel order.
        name: A name for people; the file's metadata or its own name when empty.
        weights_digest: What the weights are known by; the files' own SHA-256 when empty.
        device: See `load_teacher`.

    Returns:
        The teacher, and whether its preprocessing is inside the file.

    Raises:
        UsageError: `std` or `channels` cannot be, or the crop size is no known convention.
        FacedistillError: No ONNX file, a damaged one, or no face embedder.
    """
    if not (np.isfinite([mean, std]).all() and std > 0):
        raise UsageError(f"teacher {path.name}: mean {mean} and std {std} must be finite and std more than 0")
    if channels not in ("rgb", "bgr"):
        raise UsageError(f"teacher {path.name}: channels is {channels!r}; give rgb or bgr")
    session = _session(path, device)
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise FacedistillError(f"teacher {path} has {len(inputs)} inputs; {_EXPECTED}")
    kind, shape = inputs[0].type, inputs[0].shape
    inside = kind == "tensor(uint8)"
    size = _crop_size(path, kind, shape, inside)
    entries = session.get_modelmeta().custom_metadata_map
    if METADATA_KEY in entries:
        metadata = ModelMetadata.from_map(entries, str(path))
        name = name or metadata.name
        if not inside or metadata.crop_size != size:
            raise FacedistillError(
                f"teacher {path}: its metadata does not fit its input {kind} {shape}; export it again"
            )
    normalisation = "RGB, preprocessing inside the file" if inside else f"{channels.upper()}, (x - {mean:g}) / {std:g}"
    pixels = None if inside else (mean, std, channels)
    digest = weights_digest or _weights_digest(path)
    teacher = OnnxTeacher(path, session, name or path.stem, size, normalisation, pixels, digest)
    if device not in ("cpu", "auto") and _on_cpu(session):
        warnings.warn(
            f"teacher {path} runs on the CPU at {teacher.faces_per_second():.0f} faces/s, not on {device}; "
            "install onnxruntime-gpu, or give a checkpoint",
            FacedistillWarning,
            stacklevel=2,
        )
    return teacher, inside


class OnnxTeacher(BatchedTeacher):
    """A teacher that runs on onnxruntime; made by `load_onnx`.

    Args:
        path: Where the file is, for messages and the digest.
        session: The opened file.
        name: A short name for people.
        input_size: (height, width).
        normalisation: The preprocessing, in words.
        pixels: Mean, standard deviation and channel order for float input; None when preprocessing is inside.
        weights_digest: SHA-256 of the weights.

    Raises:
        FacedistillError: No output, or more than one, is an embedding.
    """

    def __init__(
        self,
        path: Path,
        session: ort.InferenceSession,
        name: str,
        input_size: tuple[int, int],
        normalisation: str,
        pixels: tuple[float, float, str] | None,
        weights_digest: str,
    ) -> None:
        self.path = path
        self._session = session
        self._pixels = pixels
        entry = session.get_inputs()[0]
        self._input = entry.name
        self._fixed_batch = entry.shape[0] if isinstance(entry.shape[0], int) else None
        self._output, embedding_size = self._find_embedding(input_size)
        batch = self._fixed_batch or (DEFAULT_BATCH if _on_cpu(session) else _DEVICE_BATCH)
        super().__init__(name, input_size, embedding_size, normalisation, weights_digest, batch)

    def faces_per_second(self) -> float:
        """How many faces it embeds, measured on one batch of black crops."""
        crops = np.zeros((self._batch, *self.input_size, 3), dtype=np.uint8)
        started = time.perf_counter()
        self.embed(crops)
        return len(crops) / (time.perf_counter() - started)

    def _find_embedding(self, size: tuple[int, int]) -> tuple[str, int]:
        """The one output that is [b, D] for a batch of b, found by trying, since declared shapes are often wrong."""
        batch = self._fixed_batch or 2
        names = [output.name for output in self._session.get_outputs()]
        answers = self._call(names, np.zeros((batch, *size, 3), dtype=np.uint8))
        shapes = [np.shape(answer) for answer in answers]
        fitting = [
            (name, shape[1])
            for name, shape in zip(names, shapes, strict=True)
            if len(shape) == 2 and shape[0] == batch and shape[1] >= _SHORTEST_EMBEDDING
        ]
        if len(fitting) != 1:
            raise FacedistillError(
                f"teacher {self.path} is no face embedder: for {batch} crops its outputs are "
                f"{', '.join(str(list(shape)) for shape in shapes)}, and just one must be [{batch}, D]"
            )
        return fitting[0]

    def _run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        missing = (self._fixed_batch or len(crops)) - len(crops)
        if missing:
            crops = np.concatenate([crops, np.zeros((missing, *crops.shape[1:]), dtype=np.uint8)])
        embeddings = np.asarray(self._call([self._output], crops)[0], dtype=np.float32)
        return embeddings[: len(embeddings) - missing]

    def _call(self, outputs: Sequence[str], crops: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        feed: NDArray[np.uint8] | NDArray[np.float32] = crops
        if self._pixels is not None:
            mean, std, channels = self._pixels
            ordered = crops if channels == "rgb" else crops[..., ::-1]
            feed = np.ascontiguousarray(((ordered.astype(np.float32) - mean) / std).transpose(0, 3, 1, 2))
        try:
            return list(self._session.run(list(outputs), {self._input: feed}))
        except Exception as error:  # onnxruntime's errors share no base class of their own
            raise FacedistillError(f"teacher {self.path} failed on {len(crops)} crops: {run_failure(error)}") from error


def _session(path: Path, device: str) -> ort.InferenceSession:
    wanted = (_CUDA,) if device in ("cuda", "auto") else ()
    providers = [name for name in wanted if name in ort.get_available_providers()]
    return open_session(path, f"teacher {path}", "copy or download it again", providers=[*providers, CPU])


def _on_cpu(session: ort.InferenceSession) -> bool:
    """Whether it has no other provider; what is installed may still lack the device's libraries."""
    return bool(session.get_providers() == [CPU])


def _crop_size(path: Path, kind: str, shape: Sequence[int | str | None], inside: bool) -> tuple[int, int]:
    found = f"teacher {path} takes {kind} {list(shape)}; {_EXPECTED}"
    if len(shape) != 4 or kind not in ("tensor(uint8)", "tensor(float)"):
        raise FacedistillError(found)
    rows, columns, depth = shape[1:] if inside else (shape[2], shape[3], shape[1])
    if depth != 3 or not isinstance(rows, int) or not isinstance(columns, int):
        raise FacedistillError(found)
    return crop_convention((rows, columns)).size


def _weights_digest(path: Path) -> str:
    """SHA-256 over the file and the files of tensors that it points to."""
    digests = [file_digest(path), *(file_digest(path.parent / location) for location in weight_files(path))]
    return hashlib.sha256("".join(digests).encode()).hexdigest()
