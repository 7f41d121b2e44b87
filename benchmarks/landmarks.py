"""How far MTCNN's landmarks are off on small faces: what a crop aligned by them turns, scales and shifts.

Each picture of a face set, once as it is and once as a camera sees it at so many rows (`variance.Camera`, aligned), is
given to the detector; the second landmarks are compared with the first. The table of `evaluation/camera.py` is from
rendered people:

facedistill synth faces --identities 150 --images 6 --seed 9101
python benchmarks/landmarks.py faces --pictures 300 --json landmarks.json
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets import open_face_set
from facedistill.faces import CROP_112X96, Detector, find_face, similarity_transform
from facedistill.progress import track
from facedistill.variance import Camera

ROWS = (44, 30, 24, 20, 16, 12, 10, 8)
FIGURES = ("angle", "scale", "shift_x", "shift_y")

Floats = NDArray[np.float64]
Crop = NDArray[np.uint8]


def landmarks_of(detector: Detector, picture: Crop) -> Floats | None:
    """MTCNN's landmarks [5, 2] of the picture's main face, if it finds one."""
    found = find_face(detector, picture)
    return None if found is None else np.asarray(found.landmarks, dtype=np.float64)


def misalignment(found: Floats, expected: Floats) -> Floats:
    """What `found` makes of a crop that `expected` aligns.

    Returns:
        float64 [4]: turn in degrees, scale, shift of the crop's middle in x and y as shares of its width and height.
    """
    height, width = CROP_112X96.size
    ours, theirs = (
        np.vstack([similarity_transform(each, CROP_112X96.template), [0, 0, 1]]) for each in (found, expected)
    )
    moved = ours @ np.linalg.inv(theirs)  # from the crop as it should be to the crop as it is
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = (moved[:2, :2] @ middle + moved[:2, 2] - middle) / (width, height)
    angle = np.degrees(np.arctan2(moved[0, 1], moved[0, 0]))
    return np.array([angle, np.sqrt(np.linalg.det(moved[:2, :2])), *shift])


def measure(crops: list[Crop], rows: int, seed: int) -> dict[str, Any]:
    """Share of the faces found at `rows` rows, and the spread of their misalignments.

    The spread is half of what lies between the 16th and the 84th percentile, which is a normal's standard deviation, so
    that the few detections of something else do not count; `mean` is the median.
    """
    detector, camera = Detector(), Camera(rows=(rows, rows), probability=1, misaligned=0)
    values = []
    for number, crop in enumerate(track(crops, f"{rows} rows")):
        expected = landmarks_of(detector, crop)
        found = landmarks_of(detector, camera(crop, np.random.default_rng([seed, rows, number])))
        if expected is not None:
            values.append(None if found is None else misalignment(found, expected))
    known = np.array([value for value in values if value is not None])
    low, middle, high = np.percentile(known, (16, 50, 84), axis=0)
    return {
        "found": len(known) / len(values),
        "median": dict(zip(FIGURES, middle.tolist(), strict=True)),
        "spread": dict(zip(FIGURES, ((high - low) / 2).tolist(), strict=True)),
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faces", type=Path, help="a face set of crops of 112x96")
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    faces = open_face_set(options.faces)
    places = np.linspace(0, len(faces) - 1, min(options.pictures, len(faces)), dtype=int)
    crops = [faces[place].image for place in places.tolist()]
    table = {str(rows): measure(crops, rows, options.seed) for rows in ROWS}
    print("| rows | found | angle, degrees | scale | shift in x | shift in y |\n|---|---:|---:|---:|---:|---:|")
    for rows, row in table.items():
        figures = (f"{row['median'][name]:+.3f} \u00b1 {row['spread'][name]:.3f}" for name in FIGURES)
        print(f"| {rows} | {row['found']:.3f} | {' | '.join(figures)} |")
    if options.json:
        options.json.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
