"""Recognition without torch: what an app installs."""

from facedistill.faces import NoFaceError, SeveralFacesError
from facedistill.runtime.recognizer import Recognizer, window_rows
from facedistill.runtime.templates import Templates, UsedFace
from facedistill.runtime.verification import Verification

__all__ = [
    "NoFaceError",
    "Recognizer",
    "SeveralFacesError",
    "Templates",
    "UsedFace",
    "Verification",
    "window_rows",
]
