"""Are synthetic crops aligned as real ones are? Prints landmark means, and how MTCNN differs from the labels.

python benchmarks/synth_alignment.py --people 60 --images 6 --json alignment.json
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets import align_faces, load_orl
from facedistill.faces import Detector, find_face
from facedistill.progress import track
from facedistill.synth.person import draw_person
from facedistill.synth.picture import Photographer, face_frame

POINTS = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")


def redetected(crops: list[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Mean landmarks that MTCNN finds in aligned crops, [5, 2] pixels."""
    detector = Detector()
    found = [find_face(detector, crop) for crop in track(crops, "looking at crops")]
    return np.asarray(np.mean([face.landmarks for face in found if face is not None], axis=0))


def main() -> None:
    """Renders, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--images", type=int, default=6)
    parser.add_argument("--seed", type=int, default=77, help="other people than those of a training set")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    photographer = Photographer()
    offsets, crops, detected, frontal = [], [], 0, 0
    places = [(person, image) for person in range(options.people) for image in range(options.images)]
    for number, image in track(places, "rendering"):
        picture = photographer.take(draw_person(options.seed, number), options.seed, image)
        detected += picture.labels["detected"]
        if abs(picture.labels["yaw"]) > 25 or picture.labels["occlusion"] != "none":
            continue
        frontal += 1
        if not picture.labels["detected"]:
            continue
        crops.append(picture.crop)
        labels, used = (np.reshape(picture.labels[name], (5, 2)) for name in ("landmarks", "landmarks_used"))
        offsets.append((used - labels) @ np.linalg.inv(face_frame(labels)))
    synthetic, real = redetected(crops), redetected([face.image for face in align_faces(load_orl()).faces.faces])
    mean, spread = np.mean(offsets, axis=0), np.std(offsets, axis=0)
    print(
        f"{'point':20}{'synthetic x, y':>18}{'ORL x, y':>18}{'difference, px':>18}{'MTCNN - label':>20}{'spread':>16}"
    )
    for k, name in enumerate(POINTS):
        pair, other, gap = synthetic[k], real[k], synthetic[k] - real[k]
        print(
            f"{name:20}{pair[0]:9.2f}{pair[1]:9.2f}{other[0]:9.2f}{other[1]:9.2f}{gap[0]:9.2f}{gap[1]:9.2f}"
            f"{mean[k, 0]:10.4f}{mean[k, 1]:10.4f}{spread[k, 0]:8.3f}{spread[k, 1]:8.3f}"
        )
    found: dict[str, Any] = {
        "pictures": len(places),
        "detected": detected / len(places),
        "near_frontal_detected": len(crops) / frontal,
        "synthetic": synthetic.tolist(),
        "orl": real.tolist(),
        "offsets": mean.tolist(),
    }
    print(f"detected: {found['detected']:.1%} of all, {found['near_frontal_detected']:.1%} of near-frontal, unoccluded")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
