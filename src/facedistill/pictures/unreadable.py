"""The error of a file that is no usable picture."""

from facedistill.errors import FacedistillError


class UnreadablePicture(FacedistillError):  # noqa: N818 - the name describes the file
    """A file is no usable picture; the message gives the reason and what to do.

    Attributes:
        kind: Of the reason, in a word or two, to count by: "damaged", "HEIC".
        reason: The message without the file's name: "HEIC: convert it to JPEG, or `pip install pillow-heif`".
    """

    def __init__(self, message: str, kind: str = "unreadable", reason: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.reason = reason or message


def unreadable(source: str, kind: str, mend: str, detail: str = "") -> UnreadablePicture:
    """The error for `source is KIND (DETAIL); MEND`."""
    what = f"{kind} ({detail})" if detail else kind
    return UnreadablePicture(f"{source} is {what}; {mend}", kind, f"{what}: {mend}")
