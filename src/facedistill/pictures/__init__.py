"""Pictures: decoded from untrusted files within limits, taken in every form a caller has them, encoded."""

from facedistill.pictures.decoding import decode_picture, read_picture
from facedistill.pictures.encoding import encode_picture
from facedistill.pictures.given import Picture, as_pixels, picture_name
from facedistill.pictures.limits import MAX_BYTES, MAX_PIXELS, MAX_SIDE
from facedistill.pictures.unreadable import UnreadablePicture

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "MAX_SIDE",
    "Picture",
    "UnreadablePicture",
    "as_pixels",
    "decode_picture",
    "encode_picture",
    "picture_name",
    "read_picture",
]
