"""Faces that are nobody's, drawn by a few random numbers."""

import cv2
import numpy as np


def draw_face(rng, height=160, width=200):
    """A cartoon face with random colours, place and size before a plain wall."""
    skin, wall, dark = rng.uniform(140, 220, 3), rng.uniform(40, 240, 3), rng.uniform(10, 60, 3)
    skin[0] = max(skin[0], skin[2])
    image = np.full((height, width, 3), wall)
    size = rng.uniform(30, 45)
    x, y = rng.uniform(size, width - size), rng.uniform(1.3 * size, height - 1.3 * size)

    def blob(dx, dy, rx, ry, colour):
        centre = (round(x + dx * size), round(y + dy * size))
        cv2.ellipse(image, centre, (round(rx * size), round(ry * size)), 0, 0, 360, colour.tolist(), -1, cv2.LINE_AA)

    blob(0, -0.25, 0.95, 1.1, dark)
    blob(0, 0, 0.8, 1.1, skin)
    for side in (-1, 1):
        blob(side * 0.35, -0.32, 0.22, 0.05, dark)
        blob(side * 0.35, -0.15, 0.17, 0.09, np.full(3, 235.0))
        blob(side * 0.35, -0.15, 0.08, 0.08, dark)
    blob(0, 0.25, 0.12, 0.16, skin * 0.85)
    blob(0, 0.6, 0.32, 0.1, np.array([170.0, 80, 80]))
    noisy = cv2.GaussianBlur(image, (0, 0), 1.5) + rng.normal(0, 3, image.shape)
    return noisy.clip(0, 255).astype(np.uint8)
