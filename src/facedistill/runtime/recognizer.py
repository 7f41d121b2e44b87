"""Detection, embedding and verification of faces with one model file; numpy, OpenCV and onnxruntime only."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from facedistill.errors import FacedistillError, UsageError
from facedistill.faces import Detection, Detector, align, crop_convention, find_face, similarity_transform
from facedistill.model_file import BOTH_PREFIX, MATCHED_PREFIX, NATIVE, ModelMetadata
from facedistill.models import DEFAULT, model_path, shipped_models
from facedistill.onnx_files import open_session
from facedistill.pictures import read_picture
from facedistill.runtime.conditions import compares_matched, condition_of
from facedistill.runtime.templates import Templates
from facedistill.variance import degrade_face, matching, rungs_of

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
            carries none. It does not depend on `fmr`: a strict `fmr` rejects pairs that are probably the same person.
        resolution: Condition whose threshold and probability were used: "native"; "matched 16" where the smaller face
            has that many rows and the other was degraded to about as many; "both 16" where both were about so
            small. Of a model file without matched conditions: "16" where the other face is native, and embedded as it
            is.
        rows: Of the two faces, in the order given; None where only their similarity was known.
        calibration: On whom threshold and probability were measured; "" where the model file does not state it.
    """

    same: bool
    similarity: float
    threshold: float
    fmr: float
    probability: float | None = None
    resolution: str = NATIVE
    rows: tuple[float, float] | None = None
    calibration: str = ""


class Recognizer:
    """Finds, describes and compares faces.

    Args:
        path: A model file made by `facedistill export`, or the name of a shipped model (see `facedistill models`); None
            takes the one that `$FACEDISTILL_MODEL` names, else the shipped `slim-m`. Without any, faces can be detected
            but not compared.
        min_face: Smallest face looked for in a photo, in pixels.
        threads: Threads for one inference; None lets onnxruntime decide.

    Raises:
        UsageError: The file is missing, or no shipped model has that name.
        FacedistillError: It is no facedistill model file.
    """

    def __init__(self, path: str | Path | None = None, min_face: int = 20, threads: int | None = None) -> None:
        self._min_face = min_face
        self._threads = threads
        named = path or os.environ.get("FACEDISTILL_MODEL") or (DEFAULT if DEFAULT in shipped_models() else None)
        if named:
            self._session, self._metadata = _load(model_path(named), threads)

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
        crop, rows = self._main_face(picture)
        return self._embedded(crop, rows, (NATIVE,)).embeddings[NATIVE]

    def verify(self, a: Picture, b: Picture, fmr: float = 1e-3) -> Verification:
        """Whether two photos show the same person, compared at the resolution of the smaller face.

        A face's rows are the rows of the photo that its aligned 112-row window covers (`window_rows`). The sharper
        face is degraded to about the rows of the other before it is embedded, unless they are near or both are
        native (`facedistill.variance.matching`), and the threshold is the one that was calibrated on that way of
        comparing, at the nearest resolution of the model file at or below the smaller face's rows; for a face smaller
        than all of them, at the smallest. A model file without matched conditions, as they were made before, compares
        both faces as they are, by its own conditions. An enlarged or unfocused picture has more rows than detail,
        which the scale does not show: its threshold is too low.

        Args:
            a: A photo: uint8 [H, W, 3] RGB, or a file's path.
            b: Another.
            fmr: The false match rate to accept; where the model was calibrated on too few
                people for it, the smallest calibrated rate is used; `Verification.fmr` gives it.

        Raises:
            NoFaceError: One of the photos shows no face.
            FacedistillError: The model carries no thresholds.
        """
        (one, rows), (other, other_rows) = self._main_face(a), self._main_face(b)
        first = self._embedded(one, rows, self._matching(rows, other_rows))
        second = self._embedded(other, other_rows, self._matching(other_rows, rows))
        return self._compare(first, second, fmr)

    def templates(self, picture: Picture) -> Templates:
        """One embedding a resolution of a photo's main face, to enrol it: all in one batch.

        Args:
            picture: uint8 [H, W, 3] RGB, or a file's path.

        Raises:
            NoFaceError: The photo shows no face.
            UsageError: There is no model.
        """
        crop, rows = self._main_face(picture)
        return self._embedded(crop, rows, (NATIVE, *map(str, rungs_of(rows))))

    def compare(self, templates: Templates, probe: Picture, fmr: float = 1e-3) -> Verification:
        """As `verify` of the enrolled photo and the probe, but the enrolled one is not embedded again.

        Args:
            templates: What `templates` of a recognizer with the same model gave.
            probe: A photo: uint8 [H, W, 3] RGB, or a file's path.
            fmr: As for `verify`.

        Raises:
            NoFaceError: The probe shows no face.
            UsageError: The templates are of another embedding size.
            FacedistillError: The model carries no thresholds.
        """
        lengths = {len(embedding) for embedding in templates.embeddings.values()}
        if lengths != {self.metadata.embedding_size}:
            raise UsageError(
                f"templates hold {sorted(lengths)} numbers each, but model {self.metadata.name} gives "
                f"{self.metadata.embedding_size}; make them anew with this model"
            )
        crop, rows = self._main_face(probe)
        return self._compare(templates, self._embedded(crop, rows, self._matching(rows, templates.rows)), fmr)

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
            calibration=self.metadata.calibration,
        )

    def _compare(self, one: Templates, other: Templates, fmr: float) -> Verification:
        known = self._calibrated()
        if compares_matched(known):
            similarity = one.seen_at(other.rows) @ other.seen_at(one.rows)
        else:
            similarity = one.embeddings[NATIVE] @ other.embeddings[NATIVE]
        decided = self.decide(float(similarity), condition_of(known, one.rows, other.rows), fmr)
        return replace(decided, rows=(one.rows, other.rows))

    def _matching(self, rows: float, other: float) -> tuple[str, ...]:
        return matching(rows, other) if compares_matched(self._calibrated()) else (NATIVE,)

    def _calibrated(self) -> list[str]:
        """The conditions that have a threshold, one of them at least of one face alone."""
        known = [condition for condition, rates in self.metadata.thresholds.items() if rates]
        if all(condition.startswith((BOTH_PREFIX, MATCHED_PREFIX)) for condition in known):
            raise FacedistillError(
                f"model {self.metadata.name} carries no thresholds; export it with validation people to calibrate on"
            )
        return known

    def _main_face(self, picture: Picture) -> tuple[NDArray[np.uint8], float]:
        """The crop [H, W, 3] of a photo's main face, and its rows."""
        size = self.metadata.crop_size
        pixels = _pixels(picture)
        face = find_face(self._detector, pixels)
        if face is None:
            where = picture if isinstance(picture, str | Path) else "the picture"
            raise NoFaceError(f"{where}: no face of at least {self._min_face} px found; give a photo with a clear face")
        return align(pixels, face.landmarks, size), window_rows(face.landmarks)

    def _embedded(self, crop: NDArray[np.uint8], rows: float, conditions: Sequence[str]) -> Templates:
        """The crop [H, W, 3] under each condition, in one batch."""
        crops = np.stack([crop if name == NATIVE else degrade_face(crop, int(name)) for name in conditions])
        return Templates(dict(zip(conditions, self._run(crops), strict=True)), rows)

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
    session = open_session(path, str(path), "export the model again", threads)
    return session, ModelMetadata.from_map(session.get_modelmeta().custom_metadata_map, str(path))


def _pixels(picture: Picture) -> NDArray[np.uint8]:
    return read_picture(Path(picture)) if isinstance(picture, str | Path) else picture
