"""What several rooms' tests need: people drawn by a few random numbers, cheap and always the same."""

import gc

import cv2
import numpy as np
import pytest

from facedistill.datasets import Face, FaceList

# A graph export makes millions of objects that all live; looking at them again and again is an eighth of the time.
gc.set_threshold(100_000, 20, 100)


def draw_toy_people(people: int, pictures: int, size: tuple[int, int] = (112, 96), seed: int = 0) -> FaceList:
    """A blurred random pattern per person; its pictures differ in light, place and noise."""
    rng = np.random.default_rng(seed)
    faces = []
    for label in range(people):
        pattern = cv2.resize(rng.uniform(0, 255, (7, 6, 3)), size[::-1], interpolation=cv2.INTER_CUBIC)
        for number in range(pictures):
            moved = np.roll(pattern, tuple(rng.integers(-3, 4, 2)), axis=(0, 1))
            lit = moved * rng.uniform(0.8, 1.2) + rng.normal(0, 12, pattern.shape)
            faces.append(Face(lit.clip(0, 255).astype(np.uint8), label, f"p{label}/{number}"))
    return FaceList(faces)


@pytest.fixture(scope="session")
def toy_people() -> FaceList:
    """Eight people, six pictures each, 112x96."""
    return draw_toy_people(8, 6)
