"""The choice of a picture's main face: the largest or most central one."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from facedistill.faces.detector import Detection, Detector

_SHORTER, _LONGER = 256, 1024  # sides of the picture at the second look, without its border


def find_face(detector: Detector, image: NDArray[np.uint8]) -> Detection | None:
    """The main face of a picture, or None: the most prominent one (see `prominence`).

    Args:
        detector: Looks for the faces.
        image: uint8 [H, W, 3], RGB.

    Raises:
        UsageError: The image has another shape or dtype.
    """
    faces = find_faces(detector, image)
    return faces[0] if faces else None


def find_faces(detector: Detector, image: NDArray[np.uint8]) -> list[Detection]:
    """All faces in a picture, the most prominent first.

    When nothing is found, the detector looks a second time, for a face that fills the picture: it is brought to a
    shorter side of 256 pixels (the longer one stays within 1024), and half its size is added on every side by going on
    with its border pixels, so that the face has the surroundings that the detector expects.
    """
    found = detector.detect(image) or _second_look(detector, image)
    return sorted(found, key=lambda face: prominence(face, image.shape[0], image.shape[1]), reverse=True)


def prominence(face: Detection, height: int, width: int) -> float:
    """How prominent a face is in a picture of (height, width): its size, reduced by its distance from the centre.

    The square root of the box's area in pixels, times 1 - d, where d is the distance of the box's centre from the
    picture's centre in half diagonals: 0 at the centre, 1 at a corner. So of two faces of one size the more central
    one wins, and of two equally central ones the larger.
    """
    x1, y1, x2, y2 = face.box
    off_centre = math.hypot((x1 + x2 - width) / 2, (y1 + y2 - height) / 2) / (math.hypot(width, height) / 2)
    return math.sqrt(max(x2 - x1, 0) * max(y2 - y1, 0)) * max(1 - off_centre, 0)


def _second_look(detector: Detector, image: NDArray[np.uint8]) -> list[Detection]:
    height, width = image.shape[:2]
    if not height or not width:
        return []
    zoom = min(_SHORTER / min(height, width), _LONGER / max(height, width))
    rows, columns = max(round(height * zoom), 1), max(round(width * zoom), 1)
    interpolation = cv2.INTER_CUBIC if zoom > 1 else cv2.INTER_AREA
    image = cv2.resize(image, (columns, rows), interpolation=interpolation).astype(np.uint8, copy=False)
    top, left = rows // 2, columns // 2
    padded = cv2.copyMakeBorder(image, top, top, left, left, cv2.BORDER_REPLICATE).astype(np.uint8, copy=False)
    scale = np.array([width / columns, height / rows])
    return [_moved(face, np.array([left, top]), scale) for face in detector.detect(padded)]


def _moved(face: Detection, corner: NDArray[np.int64], scale: NDArray[np.float64]) -> Detection:
    """The face in a picture that began at `corner` and is `scale` times as large."""
    box = (np.array(face.box).reshape(2, 2) - corner) * scale
    landmarks = (face.landmarks + 0.5 - corner) * scale - 0.5
    return Detection(box=(box[0, 0], box[0, 1], box[1, 0], box[1, 1]), score=face.score, landmarks=landmarks)
