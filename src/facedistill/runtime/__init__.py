"""Recognition without torch: what an app installs."""

from facedistill.runtime.recognizer import NoFaceError, Recognizer, Verification, window_rows

__all__ = ["NoFaceError", "Recognizer", "Verification", "window_rows"]
