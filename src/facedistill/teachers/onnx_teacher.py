"""Teachers from ONNX files: our own model files, and foreign ones such as insightface's."""

import hashlib
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from facedistill.errors import FacedistillError, FacedistillWarning, UsageError
from facedistill.files import file_digest
from facedistill.model_file import METADATA_KEY, ModelMetadata
from facedistill.onnx_files import CPU, open_session, run_failure, weight_files
from facedistill.teachers.assumption import judge
from facedistill.teachers.graph_pixels import graph_pixels
from facedistill.teachers.onnx_input import OnnxInput, read_input
from facedistill.teachers.pixels import Pixels
from facedistill.teachers.stated import Stated
from facedistill.teachers.teacher import DEFAULT_BATCH, BatchedTeacher
from facedistill.teachers.trial import USUAL, try_pixels

_CUDA = "CUDAExecutionProvider"
_DEVICE_BATCH = 256
_SHORTEST_EMBEDDING = 8  # a score or a box is shorter


def load_onnx(path: Path, stated: Stated | None = None, device: str = "cpu") -> "OnnxTeacher":
    """Loads an ONNX file as a teacher: a model file of ours, or a foreign one.

    The preprocessing of a foreign file is what is stated, else what its graph leaves to do (see `graph_pixels`), else
    the commonest, RGB and (x - 127.5) / 127.5; it is tried on rendered people (see `try_pixels`).

    Args:
        path: The file.
        stated: About a foreign file.
        device: See `load_teacher`.

    Raises:
        UsageError: What is stated cannot be or does not fit the file; something must be stated; or nothing is, and
            another preprocessing tells people apart clearly better.
        FacedistillError: No ONNX file, a damaged one, or no face embedder.
    """
    stated = stated or Stated()
    what = f"teacher {path}"
    session = _session(path, device)
    entries = session.get_modelmeta().custom_metadata_map
    if METADATA_KEY in entries:
        stated.refuse(path.name)
        metadata = ModelMetadata.from_map(entries, str(path))
        teacher = packed_onnx(path, metadata.name or path.stem, _weights_digest(path), session)
        if metadata.crop_size != teacher.input_size:
            raise FacedistillError(f"{what}: its metadata does not fit its input {teacher.entry.kind}; export it again")
    else:
        teacher = _foreign(path, what, session, stated)
    if device not in ("cpu", "auto") and _on_cpu(session):
        warnings.warn(
            f"{what} runs on the CPU at {teacher.faces_per_second():.0f} faces/s, not on {device}; "
            "install onnxruntime-gpu, or give a checkpoint",
            FacedistillWarning,
            stacklevel=2,
        )
    return teacher


def packed_onnx(
    path: Path, name: str, weights_digest: str, session: ort.InferenceSession | None = None
) -> "OnnxTeacher":
    """A file of ours, uint8 [B, H, W, 3] RGB in, as a teacher.

    Args:
        path: The file.
        name: A name for people.
        weights_digest: What the weights are known by.
        session: The file, where it is open.

    Raises:
        FacedistillError: It takes something else, or does not open.
    """
    session = session or _session(path, "cpu")
    entry = read_input(f"teacher {path}", session.get_inputs())
    if entry.dtype is not np.uint8 or entry.layout != "nhwc":
        raise FacedistillError(f"teacher {path}: its metadata does not fit its input {entry.kind}; export it again")
    return OnnxTeacher(path, session, entry, name, "RGB, preprocessing inside the file", None, weights_digest)


def _foreign(path: Path, what: str, session: ort.InferenceSession, stated: Stated) -> "OnnxTeacher":
    entry = read_input(what, session.get_inputs(), stated.size, stated.layout)
    channels = stated.channels or "rgb"
    if entry.dtype is np.uint8:
        stated.refuse(path.name, "mean", "std")
        pixels, origin = Pixels(channels=channels), "as it takes uint8"
        words = f"{channels.upper()}, preprocessing inside the file"
        scales: tuple[tuple[float, float], ...] = ()
    else:
        inside = graph_pixels(path) if stated.mean is None or stated.std is None else None
        usual = Pixels() if inside is None else Pixels(inside.mean, inside.std)
        mean = usual.mean if stated.mean is None else stated.mean
        std = usual.std if stated.std is None else stated.std
        pixels = Pixels(mean, std, channels)
        origin = inside.words if inside else "as stated" if stated.mean is not None else "assumed, as is commonest"
        words = str(pixels)
        scales = ((usual.mean, usual.std), *USUAL)
    if entry.size != entry.window:
        words += f", resized to {entry.size[0]}x{entry.size[1]}"
    if stated.output is not None:
        words += f", output {stated.output}"
    teacher = OnnxTeacher(path, session, entry, path.stem, words, pixels, _weights_digest(path), stated.output)
    trial = try_pixels(teacher.embed_as, entry.window, pixels, scales)
    chosen = stated.mean is not None or stated.std is not None or stated.channels is not None
    teacher.assumed = (
        f"{entry.kind} as {entry.layout}; faces of {entry.words}; {words} ({origin}); {teacher.embedding_words}; "
        + judge(what, trial, chosen)
    )
    return teacher


class OnnxTeacher(BatchedTeacher):
    """A teacher that runs on onnxruntime; made by `load_onnx`.

    Args:
        path: Where the file is, for messages and the digest.
        session: The opened file.
        entry: What it takes.
        name: A short name for people.
        normalisation: The preprocessing, in words.
        pixels: The preprocessing; None for a file of ours.
        weights_digest: SHA-256 of the weights.
        output: The name of the embedding among its outputs; None looks for it.

    Attributes:
        assumed: Of a foreign file, how it is used, why, and how well that told rendered people apart; else "".

    Raises:
        UsageError: No output has that name, or several could be the embedding.
        FacedistillError: No output is an embedding.
    """

    assumed: str = ""

    def __init__(
        self,
        path: Path,
        session: ort.InferenceSession,
        entry: OnnxInput,
        name: str,
        normalisation: str,
        pixels: Pixels | None,
        weights_digest: str,
        output: str | None = None,
    ) -> None:
        self.path = path
        self.entry = entry
        self._session = session
        self._pixels = pixels
        self._fixed_batch = entry.batch
        self._output, size = self._find_embedding(output)
        batch = self._fixed_batch or (DEFAULT_BATCH if _on_cpu(session) else _DEVICE_BATCH)
        super().__init__(name, entry.window, size, normalisation, weights_digest, batch)

    @property
    def embedding_words(self) -> str:
        """Which output is the embedding, such as "output fc1, 512 numbers"."""
        return f"output {self._output}, {self.embedding_size} numbers"

    def faces_per_second(self) -> float:
        """How many faces it embeds, measured on one batch of black crops."""
        crops = np.zeros((self._batch, *self.input_size, 3), dtype=np.uint8)
        started = time.perf_counter()
        self.embed(crops)
        return len(crops) / (time.perf_counter() - started)

    def embed_as(self, crops: NDArray[np.uint8], pixels: Pixels) -> NDArray[np.float32]:
        """Embeds crops of its own size with another preprocessing: [B, H, W, 3] -> [B, D]."""
        starts = range(0, len(crops), self._batch)
        return np.concatenate([self._embedded(crops[at : at + self._batch], pixels) for at in starts])

    def _find_embedding(self, named: str | None) -> tuple[str, int]:
        """The one output that is [b, D] for a batch of b, found by trying, since declared shapes are often wrong."""
        names = [output.name for output in self._session.get_outputs()]
        if named is not None and named not in names:
            raise UsageError(f"teacher {self.path} has no output {named!r}; give one of {', '.join(names)}")
        shapes = {name: np.shape(answer) for name, answer in zip(names, self._tried(names), strict=True)}
        batch = self._fixed_batch or 2
        fitting = [name for name, shape in shapes.items() if _embeds(shape, batch) and named in (None, name)]
        listed = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        if not fitting:
            raise FacedistillError(
                f"teacher {self.path} is no face embedder: for {batch} crops its outputs are {listed}, "
                f"and {'one' if named is None else named} must be [{batch}, D], D at least {_SHORTEST_EMBEDDING}"
            )
        if len(fitting) > 1:
            raise UsageError(
                f"teacher {self.path}: several outputs may be the embedding ({listed}); "
                f"give --output NAME, such as --output {fitting[0]}"
            )
        return fitting[0], max(shapes[fitting[0]][1:])

    def _tried(self, names: Sequence[str]) -> list[NDArray[Any]]:
        """What it gives for a batch of two; of one, where its graph was written for one whatever it declares."""
        try:
            return self._call(names, self._black(self._fixed_batch or 2), self._pixels)
        except FacedistillError:
            if self._fixed_batch:
                raise
            try:
                answers = self._call(names, self._black(1), self._pixels)
            except FacedistillError:
                answers = None
            if answers is None:
                raise
            self._fixed_batch = 1
            return answers

    def _black(self, count: int) -> NDArray[np.uint8]:
        return np.zeros((count, *self.entry.window, 3), dtype=np.uint8)

    def _run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._embedded(crops, self._pixels)

    def _embedded(self, crops: NDArray[np.uint8], pixels: Pixels | None) -> NDArray[np.float32]:
        count = len(crops)
        if self._fixed_batch and count < self._fixed_batch:
            crops = np.concatenate([crops, self._black(self._fixed_batch - count)])
        (answer,) = self._call([self._output], crops, pixels)
        return np.asarray(answer, dtype=np.float32).reshape(len(crops), -1)[:count]

    def _call(self, outputs: Sequence[str], crops: NDArray[np.uint8], pixels: Pixels | None) -> list[NDArray[Any]]:
        try:
            return list(self._session.run(list(outputs), {self.entry.name: self.entry.feed(crops, pixels)}))
        except Exception as error:  # onnxruntime's errors share no base class of their own
            raise FacedistillError(f"teacher {self.path} failed on {len(crops)} crops: {run_failure(error)}") from error


def _embeds(shape: tuple[int, ...], batch: int) -> bool:
    """Whether an output for a batch holds one vector each: [b, D], or with sides of one besides, as [b, D, 1, 1]."""
    return (
        len(shape) >= 2
        and shape[0] == batch
        and max(shape[1:]) >= _SHORTEST_EMBEDDING
        and (sum(side != 1 for side in shape[1:]) == 1)
    )


def _session(path: Path, device: str) -> ort.InferenceSession:
    wanted = (_CUDA,) if device in ("cuda", "auto") else ()
    providers = [name for name in wanted if name in ort.get_available_providers()]
    return open_session(path, f"teacher {path}", "copy or download it again", providers=[*providers, CPU])


def _on_cpu(session: ort.InferenceSession) -> bool:
    """Whether it has no other provider; what is installed may still lack the device's libraries."""
    return bool(session.get_providers() == [CPU])


def _weights_digest(path: Path) -> str:
    """SHA-256 over the file and the files of tensors that it points to."""
    digests = [file_digest(path), *(file_digest(path.parent / location) for location in weight_files(path))]
    return hashlib.sha256("".join(digests).encode()).hexdigest()
