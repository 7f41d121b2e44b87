"""The choice of one face of a picture: the main one, or the one that is named."""

import math
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from facedistill.errors import FacedistillError, UsageError
from facedistill.faces.detector import Detection, Detector
from facedistill.pictures import Picture, as_pixels

_SHORTER, _LONGER = 256, 1024  # sides of the picture at the second look, without its border
_RIVAL = 0.7  # a second face this prominent, relative to the first, makes the picture ambiguous


FaceChoice = Literal["largest", "centre"] | int
"""Which of several faces: the largest, the one nearest to the picture's centre, or the N-th most prominent, from 1."""


class NoFaceError(FacedistillError):
    """No face was found in a picture."""


class SeveralFacesError(FacedistillError):
    """A picture shows several faces, and nothing tells which one is meant."""


def find_face(detector: Detector, image: Picture) -> Detection | None:
    """The main face of a picture, or None: the most prominent one (see `prominence`), however close others come.

    Args:
        detector: Looks for the faces.
        image: See `facedistill.pictures.Picture`.

    Raises:
        UsageError: The image is no picture.
    """
    faces = find_faces(detector, as_pixels(image, "image"))
    return faces[0] if faces else None


def choose_face(
    detector: Detector, image: NDArray[np.uint8], face: FaceChoice | None = None, name: str = "the picture"
) -> Detection:
    """The face of a picture that is meant: the main one, unless others are of like prominence.

    Args:
        detector: Looks for the faces.
        image: uint8 [H, W, 3], RGB.
        face: Which of several; None where there must be nothing to choose.
        name: Names the picture in messages.

    Raises:
        NoFaceError: There is none.
        SeveralFacesError: `face` is None, and the second face is at least 0.7 times as prominent as the first.
        UsageError: `face` is no choice, or greater than the number of faces.
    """
    if isinstance(face, bool) or not (face in (None, "largest", "centre") or (isinstance(face, int) and face >= 1)):
        raise UsageError(f"face is {face!r}; give 'largest', 'centre' or a number from 1")
    faces = find_faces(detector, image)
    if not faces:
        raise NoFaceError(f"{name}: no face of at least {detector.min_face} px found; give a photo with a clear face")
    if isinstance(face, int):
        if face > len(faces):
            count = "1 face" if len(faces) == 1 else f"{len(faces)} faces"
            raise UsageError(f"{name} shows {count}, so there is no face {face}: {_listed(faces)}")
        return faces[face - 1]
    height, width = image.shape[:2]
    if face == "largest":
        return max(faces, key=_side)
    if face == "centre":
        return min(faces, key=lambda each: _off_centre(each, height, width))
    rivals = of_like_prominence(faces, height, width)
    if len(rivals) > 1:
        raise SeveralFacesError(
            f"{name}: {len(rivals)} faces of like prominence; pass a crop, or --face largest|centre|N "
            f"(face= in Python): {_listed(rivals)}"
        )
    return faces[0]


def find_faces(detector: Detector, image: NDArray[np.uint8]) -> list[Detection]:
    """All faces in a picture, the most prominent first.

    When nothing is found, the detector looks a second time, for a face that fills the picture: it is brought to a
    shorter side of 256 pixels (the longer one stays within 1024), and half its size is added on every side by going on
    with its border pixels, so that the face has the surroundings that the detector expects.
    """
    found = detector.detect(image) or _second_look(detector, image)
    return sorted(found, key=lambda face: prominence(face, image.shape[0], image.shape[1]), reverse=True)


def of_like_prominence(faces: list[Detection], height: int, width: int) -> list[Detection]:
    """Those of `find_faces`, of a picture of (height, width), that are at least 0.7 times as prominent as the first."""
    least = _RIVAL * max((prominence(face, height, width) for face in faces), default=0)
    return [face for face in faces if prominence(face, height, width) >= least]


def prominence(face: Detection, height: int, width: int) -> float:
    """How prominent a face is in a picture of (height, width): its size, reduced by its distance from the centre.

    The square root of the box's area in pixels, times 1 - d, where d is the distance of the box's centre from the
    picture's centre in half diagonals: 0 at the centre, 1 at a corner. So of two faces of one size the more central
    one wins, and of two equally central ones the larger.
    """
    return _side(face) * max(1 - _off_centre(face, height, width), 0)


def _side(face: Detection) -> float:
    x1, y1, x2, y2 = face.box
    return math.sqrt(max(x2 - x1, 0) * max(y2 - y1, 0))


def _off_centre(face: Detection, height: int, width: int) -> float:
    x1, y1, x2, y2 = face.box
    return math.hypot((x1 + x2 - width) / 2, (y1 + y2 - height) / 2) / (math.hypot(width, height) / 2)


def _listed(faces: list[Detection]) -> str:
    """At most six faces with their numbers and boxes, as (left, top, right, bottom)."""
    boxes = [f"{number} at ({', '.join(f'{edge:.0f}' for edge in face.box)})" for number, face in enumerate(faces, 1)]
    return ", ".join(boxes[:6]) + (", ..." if len(boxes) > 6 else "")


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
