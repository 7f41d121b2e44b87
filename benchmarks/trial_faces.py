"""Writes the rendered faces on which the preprocessing of foreign nets is tried: `teachers/trial_faces.jpg`.

Needs the extra `synth`: python benchmarks/trial_faces.py
"""

import tempfile
from pathlib import Path

import cv2
import numpy as np

from facedistill.datasets import open_face_set
from facedistill.files import write_bytes
from facedistill.synth.dataset import write_synthetic
from facedistill.teachers.trial import FACES, PEOPLE, PER_PERSON, SIZE

SEED = 515_001
QUALITY = 92


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_synthetic(Path(folder) / "people", PEOPLE, PER_PERSON, SEED, SIZE)
        faces = open_face_set(Path(folder) / "people")
        rows = [
            np.hstack([faces[place].image for place, label in enumerate(faces.labels) if label == person])
            for person in range(PEOPLE)
        ]
    done, data = cv2.imencode(".jpg", np.vstack(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done, "OpenCV writes JPEG"
    write_bytes(FACES, data.tobytes())
    print(f"{FACES}: {PEOPLE} people, {PER_PERSON} pictures each, {len(data) / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
