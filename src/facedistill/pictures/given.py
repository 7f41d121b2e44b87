"""A picture in any form that a caller has it in: a file, its content, an image of Pillow, or pixels."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facedistill.errors import UsageError
from facedistill.pictures.decoding import decode_image, decode_picture, read_picture

Picture = NDArray[np.uint8] | str | os.PathLike[str] | bytes | Image.Image
"""A file's path, a file's content, an image of Pillow, or pixels: uint8 [H, W, 3], RGB."""

_TAKEN = "give a file's path, its bytes, a PIL image, or pixels as uint8 [H, W, 3] in RGB"


def as_pixels(picture: Picture, argument: str = "picture") -> NDArray[np.uint8]:
    """The pixels of a picture, upright: uint8 [H, W, 3], RGB. An array is returned as it is.

    Args:
        picture: See `Picture`.
        argument: Names it in messages, unless it is a file.

    Raises:
        UsageError: It is none of these; the message names the argument.
        UnreadablePicture: See `read_picture` and `decode_picture`.
    """
    if isinstance(picture, str | os.PathLike):
        return read_picture(Path(picture))
    if isinstance(picture, bytes | bytearray | memoryview):
        return decode_picture(bytes(picture), argument)
    if isinstance(picture, Image.Image):
        return decode_image(picture, argument)
    if isinstance(picture, np.ndarray):
        if picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3:
            return picture
        raise UsageError(f"{argument} is an array of {picture.dtype} {list(picture.shape)}; {_TAKEN}")
    if picture is None:
        raise UsageError(f"{argument} is None (what cv2.imread gives for a file that it cannot read); {_TAKEN}")
    raise UsageError(f"{argument} is of the type {type(picture).__name__}; {_TAKEN}")


def picture_name(picture: Picture, argument: str) -> str:
    """What messages about a picture call it: the file's path, else the argument."""
    return os.fspath(picture) if isinstance(picture, str | os.PathLike) else argument
