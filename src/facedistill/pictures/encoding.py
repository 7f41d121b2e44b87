"""Encoding of RGB pictures."""

import cv2
import numpy as np
from numpy.typing import NDArray

from facedistill.checks import check_count
from facedistill.errors import FacedistillError, UsageError


def encode_picture(image: NDArray[np.uint8], extension: str = ".jpg", quality: int = 95) -> bytes:
    """Encodes an RGB picture.

    Args:
        image: uint8 [H, W, 3], RGB.
        extension: ".jpg", ".png" (lossless) or ".webp".
        quality: 1..100, for JPEG and WebP.

    Raises:
        UsageError: Another shape, dtype, extension or quality.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise UsageError(f"a picture must be uint8 [H, W, 3], got {image.dtype} {list(image.shape)}")
    check_count("quality", quality, 1, 100)
    options = {
        ".jpg": [cv2.IMWRITE_JPEG_QUALITY, quality],
        ".png": [],
        ".webp": [cv2.IMWRITE_WEBP_QUALITY, quality],
    }
    if extension not in options:
        raise UsageError(f"cannot encode {extension!r}; known: {', '.join(options)}")
    done, data = cv2.imencode(extension, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options[extension])
    if not done:
        raise FacedistillError(f"OpenCV could not encode a picture of {image.shape[1]}x{image.shape[0]} as {extension}")
    return data.tobytes()
