"""Photos put together of ORL faces and a smooth wall."""

import csv

import cv2
import numpy as np
from PIL import Image

from facedistill.pictures import encode_picture


def wall(height, width, seed=0):
    small = np.random.default_rng(seed).uniform(90, 170, (4, 5, 3))
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).clip(0, 255).astype(np.uint8)


def photo_of(face, zoom=1.5, height=240, width=260):
    """The face in the middle of a larger picture."""
    image = wall(height, width)
    face = cv2.resize(face, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LANCZOS4)
    y, x = (height - face.shape[0]) // 2, (width - face.shape[1]) // 2
    image[y : y + face.shape[0], x : x + face.shape[1]] = face
    return image


def beside(left, right, zooms=(1.5, 1.5)):
    """Two faces, as far from the middle."""
    image = wall(260, 460)
    for face, zoom, centre in zip((left, right), zooms, (130, 330), strict=True):
        face = cv2.resize(face, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LANCZOS4)
        y, x = (260 - face.shape[0]) // 2, centre - face.shape[1] // 2
        image[y : y + face.shape[0], x : x + face.shape[1]] = face
    return image


def save(path, image, orientation=None):
    """Stores a picture; with an EXIF orientation (3 or 6) turned so that it is seen upright."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
        image = np.rot90(image, {3: 2, 6: 1}[orientation])
    Image.fromarray(np.ascontiguousarray(image)).save(path, quality=95, exif=exif)


def encoded(image):
    return encode_picture(image, ".png")


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
