"""One photo becomes one aligned crop, or a reason why not."""

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from facedistill.errors import FacedistillError
from facedistill.faces.alignment import align
from facedistill.faces.choice import find_faces, of_like_prominence
from facedistill.faces.detector import Detector
from facedistill.pictures import Picture, as_pixels

# Rounding errors have the variance 1/12, and the Laplacian adds up 4^2 + 4 * 1^2 of them. In a dim, blurred crop that
# is more than all true detail.
_ROUNDING = 20 / 12


class Reject(StrEnum):
    """Why a photo that can be read gave no crop."""

    NO_FACE = "no face"
    SEVERAL_FACES = "several faces"
    TOO_SMALL = "too small"
    TOO_BLURRED = "too blurred"

    @property
    def reason(self) -> str:
        """With what to do."""
        return f"{self}: {_ADVICE[self]}"


_ADVICE = {
    Reject.NO_FACE: "the detector found none; give a photo with a clear face",
    Reject.SEVERAL_FACES: "they are of like prominence; crop the photo to one person",
    Reject.TOO_SMALL: "the face's box is smaller than min_face",
    Reject.TOO_BLURRED: "the face has less detail than min_sharpness",
}


@dataclass(frozen=True)
class Standard:
    """The least quality of a photo.

    Attributes:
        size: (height, width) of the crop.
        min_face: Shorter side of the face's box, in pixels of the photo.
        min_sharpness: See `sharpness`. Of 200 ORL crops that were shrunk and enlarged again (bicubic), the default
            of 0.004 passes all with 40 rows, 98 % with 30, 61 % with 24, 2 % with 20 and none with 16: a teacher
            needs sharp originals.
    """

    size: tuple[int, int] = (112, 96)
    min_face: int = 40
    min_sharpness: float = 0.004


def crop_photo(detector: Detector, photo: Picture, standard: Standard) -> NDArray[np.uint8] | Reject:
    """Finds the photo's main face and cuts its aligned crop.

    The main face is the most prominent one (`choice.prominence`: the larger, and of equally large ones the more
    central). A photo whose second face is at least 0.7 times as prominent is rejected as ambiguous.

    Args:
        detector: Looks for the faces.
        photo: See `facedistill.pictures.Picture`.
        standard: The least quality of the face.

    Raises:
        UnreadablePicture: The photo cannot be decoded.
        UsageError: It is no picture.
    """
    image = as_pixels(photo, "photo")
    faces = find_faces(detector, image)
    if not faces:
        return Reject.NO_FACE
    height, width = image.shape[:2]
    if len(of_like_prominence(faces, height, width)) > 1:
        return Reject.SEVERAL_FACES
    left, top, right, bottom = faces[0].box
    if min(right - left, bottom - top) < standard.min_face:
        return Reject.TOO_SMALL
    try:
        crop = align(image, faces[0].landmarks, standard.size)
    except FacedistillError:  # landmarks that coincide: the detector was mistaken
        return Reject.NO_FACE
    return Reject.TOO_BLURRED if sharpness(crop) < standard.min_sharpness else crop


def sharpness(crop: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of the grey crop, less what rounding to 8 bits adds, over the crop's own variance.

    So it does not depend on contrast. 0 for a crop of one colour.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float64)
    spread = float(grey.var())
    detail = float(cv2.Laplacian(grey, cv2.CV_64F).var()) - _ROUNDING
    return max(detail, 0.0) / spread if spread else 0.0
