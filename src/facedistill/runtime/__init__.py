"""Recognition without torch: what an app installs."""

from facedistill.runtime.recognizer import NoFaceError, Recognizer, Verification, window_rows
from facedistill.runtime.templates import Templates

__all__ = ["NoFaceError", "Recognizer", "Templates", "Verification", "window_rows"]
