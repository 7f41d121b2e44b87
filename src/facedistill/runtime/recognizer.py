"""Detection, embedding and verification of faces with one model file; numpy, OpenCV and onnxruntime only."""

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedistill.checks import check_processes, check_rate, check_similarity
from facedistill.errors import FacedistillError, UsageError
from facedistill.faces import (
    Detection,
    Detector,
    FaceChoice,
    align,
    check_least_face,
    choose_face,
    crop_convention,
    similarity_transform,
)
from facedistill.files import file_digest
from facedistill.model_file import BOTH_PREFIX, MATCHED_PREFIX, NATIVE, ModelMetadata
from facedistill.models import DEFAULT, model_path, shipped_models
from facedistill.onnx_files import open_session
from facedistill.pictures import Picture, as_pixels, picture_name
from facedistill.runtime.conditions import compares_matched, condition_of
from facedistill.runtime.templates import Templates, UsedFace
from facedistill.runtime.verification import Verification
from facedistill.sessions import OwnSession
from facedistill.variance import degrade_face, matching, rungs_of

Face = FaceChoice | tuple[FaceChoice | None, FaceChoice | None]


class Recognizer:
    """Finds, describes and compares faces; for any number of threads and forked processes. It pickles by its path.

    A photo may be a file's path, its bytes, an image of Pillow, or pixels (`facedistill.pictures.Picture`).

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
        self._min_face = check_least_face(min_face)
        self._threads = check_processes("threads", threads)
        named = path or os.environ.get("FACEDISTILL_MODEL") or (DEFAULT if DEFAULT in shipped_models() else None)
        if named:
            self._path = model_path(named).absolute()
            self._session, self._metadata = _load(self._path, threads)
            self._digest = file_digest(self._path)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        model = (self._path, self._digest) if hasattr(self, "_path") else (None, "")
        return _reopened, (*model, self._min_face, self._threads)

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
        """All faces in a photo, best first."""
        return self._detector.detect(as_pixels(picture))

    def embed(self, picture: Picture, face: FaceChoice | None = None) -> NDArray[np.float32]:
        """Unit-length embeddings.

        Args:
            picture: A photo, in which the main face is found and aligned; or aligned crops, uint8 [B, h, w, 3] of the
                model's crop size.
            face: Of a photo that shows several: "largest", "centre", or the N-th most prominent, from 1.

        Returns:
            float32 [D] for a photo, [B, D] for crops.

        Raises:
            NoFaceError: The photo shows no face.
            SeveralFacesError: It shows several of like prominence, and `face` is None.
            UsageError: It is no photo, the crops are of another size or type, there is no such face or no model.
        """
        height, width = self.metadata.crop_size
        if isinstance(picture, np.ndarray) and picture.ndim == 4:
            if picture.dtype != np.uint8 or picture.shape[1:] != (height, width, 3):
                raise UsageError(
                    f"crops are {picture.dtype} {list(picture.shape)}; the model wants uint8 [B, {height}, {width}, 3]"
                )
            return self._run(picture)
        return self._embedded(*self._main_face(picture, face, "picture"), (NATIVE,)).embeddings[NATIVE]

    def verify(self, a: Picture, b: Picture, fmr: float = 1e-3, face: Face | None = None) -> Verification:
        """Whether two photos show the same person, compared at the resolution of the smaller face.

        A face's rows are the rows of the photo that its aligned 112-row window covers (`window_rows`). The sharper
        face is degraded to about the rows of the other before it is embedded, unless they are near or both are
        native (`facedistill.variance.matching`), and the threshold is the one that was calibrated on that way of
        comparing, at the nearest resolution of the model file at or below the smaller face's rows; for a face smaller
        than all of them, at the smallest. A model file without matched conditions, as they were made before, compares
        both faces as they are, by its own conditions. An enlarged or unfocused picture has more rows than detail,
        which the scale does not show: its threshold is too low.

        Args:
            a: A photo.
            b: Another.
            fmr: The false match rate to accept, above 0 and below 1; where the model was calibrated on too few
                people for it, the smallest calibrated rate is used; `Verification.fmr` gives it.
            face: As for `embed`, in both photos; or a choice for each.

        Raises:
            NoFaceError: One of the photos shows no face.
            SeveralFacesError: One shows several of like prominence, and no choice is given for it.
            UsageError: One is no photo, or has no such face, or `fmr` is out of range.
            FacedistillError: The model carries no thresholds.
        """
        check_rate("fmr", fmr)
        of_a, of_b = face if isinstance(face, tuple) and len(face) == 2 else (face, face)
        one, other = self._main_face(a, of_a, "picture a"), self._main_face(b, of_b, "picture b")
        first = self._embedded(*one, self._matching(one[1], other[1]))
        second = self._embedded(*other, self._matching(other[1], one[1]))
        return self._compare(first, second, fmr)

    def templates(self, picture: Picture, face: FaceChoice | None = None) -> Templates:
        """One embedding a resolution of a photo's main face, to enrol it: all in one batch.

        Args:
            picture: The photo.
            face: As for `embed`.

        Raises:
            NoFaceError: The photo shows no face.
            SeveralFacesError: It shows several of like prominence, and `face` is None.
            UsageError: It is no photo, there is no such face or no model.
        """
        seen = self._main_face(picture, face, "picture")
        return self._embedded(*seen, (NATIVE, *map(str, rungs_of(seen[1]))))

    def compare(
        self, templates: Templates, probe: Picture, fmr: float = 1e-3, face: FaceChoice | None = None
    ) -> Verification:
        """As `verify` of the enrolled photo and the probe, but the enrolled one is not embedded again.

        Args:
            templates: What `templates` of a recognizer with the same model gave.
            probe: A photo.
            fmr: As for `verify`.
            face: As for `embed`, in the probe.

        Raises:
            NoFaceError: The probe shows no face.
            SeveralFacesError: It shows several of like prominence, and `face` is None.
            UsageError: It is no photo, has no such face, the templates are of another embedding size, or `fmr` is out
                of range.
            FacedistillError: The model carries no thresholds.
        """
        check_rate("fmr", fmr)
        if not isinstance(templates, Templates):
            raise UsageError(f"templates are of the type {type(templates).__name__}; give what `templates` returns")
        lengths = {len(embedding) for embedding in templates.embeddings.values()}
        if lengths != {self.metadata.embedding_size}:
            raise UsageError(
                f"templates hold {sorted(lengths)} numbers each, but model {self.metadata.name} gives "
                f"{self.metadata.embedding_size}; make them anew with this model"
            )
        seen = self._main_face(probe, face, "probe")
        return self._compare(templates, self._embedded(*seen, self._matching(seen[1], templates.rows)), fmr)

    def decide(self, similarity: float, resolution: str = NATIVE, fmr: float = 1e-3) -> Verification:
        """What a similarity of two embeddings means, for a caller who has embedded crops and knows their resolution.

        Args:
            similarity: Cosine, -1..1.
            resolution: A condition that the model file carries, see `Verification.resolution`.
            fmr: As for `verify`.

        Raises:
            UsageError: The model carries no such condition, or a number is out of range.
            FacedistillError: It carries no thresholds at all.
        """
        check_similarity("similarity", similarity)
        check_rate("fmr", fmr)
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
        faces = (one.face, other.face) if one.face and other.face else None
        return replace(decided, rows=(one.rows, other.rows), faces=faces)

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

    def _main_face(
        self, picture: Picture, face: FaceChoice | None, argument: str
    ) -> tuple[NDArray[np.uint8], float, UsedFace]:
        """The crop [H, W, 3] of the face of a photo that is meant, its rows, and where it was found."""
        size = self.metadata.crop_size
        pixels = as_pixels(picture, argument)
        found = choose_face(self._detector, pixels, face, picture_name(picture, argument))
        return align(pixels, found.landmarks, size), window_rows(found.landmarks), UsedFace(found.box, found.score)

    def _embedded(self, crop: NDArray[np.uint8], rows: float, face: UsedFace, conditions: Sequence[str]) -> Templates:
        """The crop [H, W, 3] under each condition, in one batch."""
        crops = np.stack([crop if name == NATIVE else degrade_face(crop, int(name)) for name in conditions])
        return Templates(dict(zip(conditions, self._run(crops), strict=True)), rows, face)

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


def _load(path: Path, threads: int | None) -> tuple[OwnSession, ModelMetadata]:
    if not path.is_file():
        raise UsageError(f"{path}: no such model file; make one with `facedistill export RUN {path.name}`")
    session = OwnSession(partial(open_session, path, str(path), "export the model again", threads))
    return session, ModelMetadata.from_map(session.metadata(), str(path))


def _reopened(path: Path | None, digest: str, min_face: int, threads: int | None) -> Recognizer:
    """A recognizer in another process; the file must be the same, for embeddings of two nets cannot be compared."""
    recognizer = Recognizer(path, min_face, threads)
    if path is not None and file_digest(path) != digest:
        raise FacedistillError(f"{path} has changed since it was opened; make the recognizer anew")
    return recognizer
