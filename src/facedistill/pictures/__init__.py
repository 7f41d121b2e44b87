"""Pictures: decoded from untrusted files within limits, taken in every form a caller has them, encoded."""

from facedistill.pictures.decoding import check_picture, decode_picture, read_file, read_picture
from facedistill.pictures.encoding import encode_picture
from facedistill.pictures.given import Picture, as_pixels, picture_name
from facedistill.pictures.kinds import NO_PICTURES
from facedistill.pictures.limits import MAX_BYTES, MAX_PIXELS, MAX_SIDE
from facedistill.pictures.tree import LeftOut, PictureTree, counted, reason_kind, walk_pictures
from facedistill.pictures.unreadable import UnreadablePicture

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "MAX_SIDE",
    "NO_PICTURES",
    "LeftOut",
    "Picture",
    "PictureTree",
    "UnreadablePicture",
    "as_pixels",
    "check_picture",
    "counted",
    "decode_picture",
    "encode_picture",
    "picture_name",
    "read_file",
    "read_picture",
    "reason_kind",
    "walk_pictures",
]
