"""Detection, embedding and verification of faces with one model file; numpy, OpenCV and onnxruntime only."""

import math
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from facedistill.errors import FacedistillError, UsageError
from facedistill.faces import Detection, Detector, align, crop_convention, find_face, similarity_transform
from facedistill.model_file import BOTH_PREFIX, NATIVE, ModelMetadata
from facedistill.pictures import read_picture

NATIVE_ROWS = 56  # half a crop: from here on the thresholds of nets were measured to be those of whole crops

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
        probability: Of the same person, 0..1, if either answer is as likely beforehand; None where the model file
            carries none. It does not depend on `fmr`.
        resolution: Condition whose threshold and probability were used: "native"; "16" where the smaller face has that
            many rows; "both 16" where the other one is smaller than native too.
    """

    same: bool
    similarity: float
    threshold: float
    fmr: float
    probability: float | None = None
    resolution: str = NATIVE


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
        return self._embed_face(picture)[0]

    def verify(self, a: Picture, b: Picture, fmr: float = 1e-3) -> Verification:
        """Whether two photos show the same person, by the threshold for the smaller of the two faces.

        A face's rows are the rows of the photo that its aligned 112-row window covers (`window_rows`); its
        threshold is that of the nearest resolution of the model file at or below them, "native" standing for
        `NATIVE_ROWS` and more; for a face smaller than all of them, that of the smallest. An enlarged or unfocused
        picture has more rows than detail, which the scale does not show: its threshold is too low.

        Args:
            a: A photo: uint8 [H, W, 3] RGB, or a file's path.
            b: Another.
            fmr: The false match rate to accept; where the model was calibrated on too few
                people for it, the smallest calibrated rate is used; `Verification.fmr` gives it.

        Raises:
            NoFaceError: One of the photos shows no face.
            FacedistillError: The model carries no thresholds.
        """
        (one, rows), (other, other_rows) = self._embed_face(a), self._embed_face(b)
        return self.decide(float(one @ other), self._condition(min(rows, other_rows), max(rows, other_rows)), fmr)

    def decide(self, similarity: float, resolution: str = NATIVE, fmr: float = 1e-3) -> Verification:
        """What a similarity of two embeddings means, for a caller who has embedded crops and knows their resolution.

        Args:
            similarity: Cosine, -1..1.
            resolution: A condition that the model file carries, see `Verification.resolution`.
            fmr: As for `verify`.

        Raises:
            UsageError: The model carries no such condition.
            FacedistillError: It carries no thresholds at all.
        """
        known = self._calibrated()
        if resolution not in known:
            raise UsageError(
                f"model {self.metadata.name} was not calibrated at resolution {resolution!r}; give {', '.join(known)}"
            )
        thresholds = {float(rate): value for rate, value in self.metadata.thresholds[resolution].items()}
        allowed = [rate for rate in thresholds if rate >= fmr * (1 - 1e-9)]
        rate = min(allowed) if allowed else max(thresholds)
        logistic = self.metadata.probability.get(resolution)
        return Verification(
            same=similarity >= thresholds[rate],
            similarity=similarity,
            threshold=thresholds[rate],
            fmr=rate,
            probability=None if logistic is None else logistic(similarity),
            resolution=resolution,
        )

    def _calibrated(self) -> list[str]:
        """The conditions that have a threshold, one of them at least of one face alone."""
        known = [condition for condition, rates in self.metadata.thresholds.items() if rates]
        if all(condition.startswith(BOTH_PREFIX) for condition in known):
            raise FacedistillError(
                f"model {self.metadata.name} carries no thresholds; export it with validation people to calibrate on"
            )
        return known

    def _condition(self, rows: float, other_rows: float) -> str:
        """The condition for comparing a face of `rows` with one of `other_rows`, which are no fewer."""
        known = self._calibrated()
        single = [name for name in known if not name.startswith(BOTH_PREFIX)]
        least = {name: NATIVE_ROWS if name == NATIVE else int(name) for name in single}  # rows from which it is used
        reached = [name for name in least if least[name] <= min(rows, NATIVE_ROWS)]
        condition = max(reached, key=least.__getitem__) if reached else min(least, key=least.__getitem__)
        both = BOTH_PREFIX + condition
        return both if other_rows < NATIVE_ROWS and both in known else condition

    def _embed_face(self, picture: Picture) -> tuple[NDArray[np.float32], float]:
        """The embedding [D] of a photo's main face, and its rows."""
        pixels = _pixels(picture)
        face = find_face(self._detector, pixels)
        if face is None:
            where = picture if isinstance(picture, str | Path) else "the picture"
            raise NoFaceError(f"{where}: no face of at least {self._min_face} px found; give a photo with a clear face")
        crop = align(pixels, face.landmarks, size=self.metadata.crop_size)
        return np.asarray(self._run(crop[None])[0], dtype=np.float32), window_rows(face.landmarks)

    def _run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        (embeddings,) = self._session.run(None, {self._session.get_inputs()[0].name: crops})
        return np.asarray(embeddings, dtype=np.float32)


def window_rows(landmarks: NDArray[np.floating]) -> float:
    """The resolution of a face: how many rows of its photo the aligned 112-row window covers, > 0.

    Args:
        landmarks: [5, 2], x and y in pixels of the photo, as in `Detection.landmarks`.

    Raises:
        UsageError: Another shape.
        FacedistillError: The landmarks coincide.
    """
    window = crop_convention((112, 96))
    scale = math.sqrt(np.linalg.det(similarity_transform(landmarks, window.template)[:, :2]))
    return window.size[0] / scale


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
