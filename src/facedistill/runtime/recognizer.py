"""Who is it? Detection, embedding and verification from one model file; numpy, OpenCV and onnxruntime only."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from facedistill.errors import FacedistillError, UsageError
from facedistill.faces import Detection, Detector, align, find_face
from facedistill.model_file import NATIVE, ModelMetadata
from facedistill.pictures import read_picture

Picture = NDArray[np.uint8] | str | Path


class NoFaceError(FacedistillError):
    """No face was found in a picture."""


@dataclass(frozen=True)
class Verification:
    """The answer to "are these two the same person?".

    Attributes:
        same: `similarity >= threshold`.
        similarity: Cosine of the two embeddings, -1..1.
        threshold: Least similarity called the same person.
        fmr: The false match rate that the threshold stands for, on the people it was calibrated on.
    """

    same: bool
    similarity: float
    threshold: float
    fmr: float


class Recognizer:
    """Finds, describes and compares faces.

    Args:
        path: A model file made by `facedistill export`; None takes the one that `$FACEDISTILL_MODEL` names.
            Without either, faces can be detected but not compared.
        min_face: Smallest face looked for in a photo, in pixels.
        threads: Threads for one inference; None lets onnxruntime decide.

    Raises:
        UsageError: The file is missing.
        FacedistillError: It is no facedistill model file.
    """

    def __init__(self, path: str | Path | None = None, min_face: int = 20, threads: int | None = None) -> None:
        self._min_face = min_face
        self._threads = threads
        named = path or os.environ.get("FACEDISTILL_MODEL")
        if named:
            self._session, self._metadata = _load(Path(named), threads)

    @cached_property
    def _detector(self) -> Detector:
        return Detector(min_face=self._min_face, threads=self._threads)

    @property
    def metadata(self) -> ModelMetadata:
        """What travels in the model file.

        Raises:
            UsageError: The recognizer was made without a model.
        """
        if not hasattr(self, "_metadata"):
            raise UsageError("no model: give Recognizer('student.onnx'), or set FACEDISTILL_MODEL to a model file")
        return self._metadata

    def detect(self, picture: Picture) -> list[Detection]:
        """All faces in a photo (uint8 [H, W, 3] RGB, or a file's path), best first."""
        return self._detector.detect(_pixels(picture))

    def embed(self, picture: Picture) -> NDArray[np.float32]:
        """Unit-length embeddings.

        Args:
            picture: A photo (uint8 [H, W, 3] RGB, or a file's path), in which the main face is found and
                aligned; or aligned crops, uint8 [B, h, w, 3] of the model's crop size.

        Returns:
            float32 [D] for a photo, [B, D] for crops.

        Raises:
            NoFaceError: The photo shows no face.
            UsageError: The crops are of another size or type; or there is no model.
        """
        height, width = self.metadata.crop_size
        if isinstance(picture, np.ndarray) and picture.ndim == 4:
            if picture.dtype != np.uint8 or picture.shape[1:] != (height, width, 3):
                raise UsageError(
                    f"crops are {picture.dtype} {list(picture.shape)}; the model wants uint8 [B, {height}, {width}, 3]"
                )
            return self._run(picture)
        pixels = _pixels(picture)
        face = find_face(self._detector, pixels)
        if face is None:
            where = picture if isinstance(picture, str | Path) else "the picture"
            raise NoFaceError(f"{where}: no face of at least {self._min_face} px found; give a photo with a clear face")
        crop = align(pixels, face.landmarks, size=(height, width))
        return np.asarray(self._run(crop[None])[0], dtype=np.float32)

    def verify(self, a: Picture, b: Picture, fmr: float = 1e-3) -> Verification:
        """Whether two photos show the same person.

        Args:
            a: A photo: uint8 [H, W, 3] RGB, or a file's path.
            b: Another.
            fmr: The false match rate to accept; where the model was calibrated on too few
                people for it, the smallest rate it knows is used, and told in the answer.

        Raises:
            NoFaceError: One of the photos shows no face.
            FacedistillError: The model carries no thresholds.
        """
        thresholds = {float(rate): value for rate, value in self.metadata.thresholds.get(NATIVE, {}).items()}
        if not thresholds:
            raise FacedistillError(
                f"model {self.metadata.name} carries no thresholds; export it with validation people to calibrate on"
            )
        known = [rate for rate in thresholds if rate >= fmr * (1 - 1e-9)]
        rate = min(known) if known else max(thresholds)
        similarity = float(self.embed(a) @ self.embed(b))
        return Verification(similarity >= thresholds[rate], similarity, thresholds[rate], rate)

    def _run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        (embeddings,) = self._session.run(None, {self._session.get_inputs()[0].name: crops})
        return np.asarray(embeddings, dtype=np.float32)


def _load(path: Path, threads: int | None) -> tuple[onnxruntime.InferenceSession, ModelMetadata]:
    if not path.is_file():
        raise UsageError(f"{path}: no such model file; make one with `facedistill export RUN {path.name}`")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads:
        options.intra_op_num_threads = threads
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own kinds, without a common base
        raise FacedistillError(f"{path} cannot be read as ONNX; it may be truncated: export the model again") from error
    return session, ModelMetadata.from_map(session.get_modelmeta().custom_metadata_map, str(path))


def _pixels(picture: Picture) -> NDArray[np.uint8]:
    return read_picture(Path(picture)) if isinstance(picture, str | Path) else picture
