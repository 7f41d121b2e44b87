"""Finds faces and their five landmarks: MTCNN (Zhang et al. 2016) on onnxruntime."""

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from facedistill.checks import check_count, check_number, check_processes
from facedistill.errors import FacedistillError, UsageError
from facedistill.faces.cascade import (
    Floats,
    cut_windows,
    pyramid_sizes,
    shift_edges,
    square_windows,
    suppress,
    window_boxes,
)
from facedistill.faces.mtcnn_graphs import WINDOWS, graph_file, rebuild_graph_file
from facedistill.onnx_files import open_session
from facedistill.pictures import Picture, as_pixels
from facedistill.sessions import OwnSession

_STRIP = 150_000  # pixels that P-Net takes at once: larger strips cost memory, and time by missing the cache
_BATCH = 1024  # windows that R-Net looks at at once; only crowds exceed it


@dataclass(frozen=True)
class Detection:
    """A face in a picture.

    Attributes:
        box: Left, top, right and bottom edge in pixels; it may reach beyond the picture where the face does.
        score: Probability that this is a face, 0..1.
        landmarks: float64 [5, 2], x and y in pixels (0, 0 is the centre of the first pixel): left eye, right eye,
            nose, left mouth corner, right mouth corner, as seen in the image.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: Floats


MOST_LEAST_FACE = 32_767  # pixels: no picture has a longer side


def check_least_face(min_face: int) -> int:
    """Refuses a smallest face that no net can find, or that no picture can hold.

    Raises:
        UsageError: It is no whole number of pixels from 12 on.
    """
    return check_count("min_face", min_face, WINDOWS["pnet"], MOST_LEAST_FACE)


class Detector:
    """MTCNN; the nets are built once into the cache folder.

    Threads may share a detector, and forked processes; it pickles by its arguments.

    Args:
        min_face: The smallest face that is looked for, in pixels; at least 12. Doubling it saves three quarters of
            the time on large pictures.
        thresholds: Least score of the proposal, refinement and output net, 0..1.
        threads: Threads of each net; None lets onnxruntime decide.

    Raises:
        UsageError: An argument is out of its range.
        FacedistillError: The weights cannot be read, or the cache folder cannot be written.
    """

    def __init__(
        self,
        min_face: int = 20,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
        threads: int | None = None,
    ) -> None:
        if len(thresholds) != 3:
            raise UsageError(f"thresholds must be three numbers from 0 to 1, got {thresholds}")
        for threshold in thresholds:
            check_number("each of thresholds", threshold, 0, 1)
        check_processes("threads", threads)
        self._min_face = check_least_face(min_face)
        self._thresholds = thresholds
        self._threads = threads
        self._pnet, self._rnet, self._onet = (OwnSession(partial(_open_net, net, threads)) for net in WINDOWS)

    def __reduce__(self) -> tuple[type["Detector"], tuple[object, ...]]:
        return Detector, (self._min_face, self._thresholds, self._threads)

    @property
    def min_face(self) -> int:
        """The smallest face that is looked for, in pixels."""
        return self._min_face

    def detect(self, image: Picture) -> list[Detection]:
        """Finds the faces in a picture.

        Args:
            image: See `facedistill.pictures.Picture`; of any size.

        Returns:
            The faces, best score first; none in a picture smaller than `min_face`.

        Raises:
            UsageError: The image is no picture.
            UnreadablePicture: It is a file that cannot be decoded.
        """
        pixels = np.ascontiguousarray(as_pixels(image, "image"))
        windows = square_windows(self._propose(pixels))
        if len(windows):
            windows = square_windows(self._refine(pixels, windows))
        return self._output(pixels, windows) if len(windows) else []

    def _propose(self, image: NDArray[np.uint8]) -> Floats:
        """P-Net over the pyramid: boxes [n, 4]."""
        height, width = image.shape[:2]
        boxes, scores = [np.empty((0, 4))], [np.empty(0)]
        for rows, columns in pyramid_sizes(height, width, self._min_face):
            level = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
            level_boxes, level_scores = self._scan(level)
            kept = suppress(level_boxes, level_scores, 0.5)
            boxes.append(level_boxes[kept] * np.tile([width / columns, height / rows], 2))
            scores.append(level_scores[kept])
        all_boxes, all_scores = np.concatenate(boxes), np.concatenate(scores)
        return all_boxes[suppress(all_boxes, all_scores, 0.7)]

    def _scan(self, level: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """P-Net on one level, in strips that bound its memory and change nothing: boxes [n, 4], scores [n]."""
        boxes, scores = [], []
        rows = max(_STRIP // (2 * level.shape[1]), 8)
        for first in range(0, (level.shape[0] - 9) // 2, rows):
            # A window of row r covers the pixels 2r .. 2r + 11.
            strip = level[2 * first : 2 * (first + rows) + 10]
            offsets, logits = self._pnet.run(["offsets", "logits"], {"pictures": strip[None]})
            probabilities = _probability(logits[0, 0])
            found, chosen = window_boxes(probabilities, self._thresholds[0], first)
            boxes.append(shift_edges(found, offsets[0][:, chosen].T))
            scores.append(probabilities[chosen])
        return np.concatenate(boxes), np.concatenate(scores)

    def _refine(self, image: NDArray[np.uint8], windows: NDArray[np.int64]) -> Floats:
        """R-Net: boxes [n, 4] that are faces, their edges corrected."""
        parts = []
        for first in range(0, len(windows), _BATCH):
            pictures = cut_windows(image, windows[first : first + _BATCH], WINDOWS["rnet"])
            parts.append(self._rnet.run(["offsets", "logits"], {"pictures": pictures}))
        offsets, logits = (np.concatenate(part) for part in zip(*parts, strict=True))
        scores = _probability(logits[:, 0])
        chosen = scores > self._thresholds[1]
        boxes = shift_edges(windows[chosen].astype(np.float64), offsets[chosen])
        return boxes[suppress(boxes, scores[chosen], 0.7)]

    def _output(self, image: NDArray[np.uint8], windows: NDArray[np.int64]) -> list[Detection]:
        """O-Net: the faces, their edges corrected once more, and their landmarks."""
        pictures = cut_windows(image, windows, WINDOWS["onet"])
        offsets, points, logits = self._onet.run(["offsets", "landmarks", "logits"], {"pictures": pictures})
        scores = _probability(logits[:, 0])
        chosen = scores > self._thresholds[2]
        squares, scores = windows[chosen].astype(np.float64), scores[chosen]
        boxes = shift_edges(squares, offsets[chosen])
        # The net counts from the window's edge, landmarks from the first pixel's centre: half a pixel apart.
        sides = squares[:, None, 2:] - squares[:, None, :2]
        landmarks = squares[:, None, :2] + sides * points[chosen].reshape(-1, 2, 5).transpose(0, 2, 1) - 0.5
        return [
            Detection(box=tuple(boxes[i].tolist()), score=float(scores[i]), landmarks=landmarks[i])
            for i in suppress(boxes, scores, 0.7, over_smaller=True)
        ]


def _probability(logits: NDArray[np.float32]) -> Floats:
    """The logistic function, in float64 and without overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * logits.astype(np.float64))


def _open_net(net: str, threads: int | None) -> onnxruntime.InferenceSession:
    path = graph_file(net)
    # No memory pattern: it is made for inputs of one shape; pictures and batches differ.
    try:
        return open_session(path, str(path), "delete it", threads, mem_pattern=False)
    except FacedistillError:  # the cached file is damaged
        rebuild_graph_file(net, path)
        return open_session(path, str(path), "delete it", threads, mem_pattern=False)
