"""Alignment of synthetic and real crops: mean landmarks in the crops, and offsets of MTCNN from the labels.

Both sets are aligned by MTCNN's landmarks, so position, size and rotation agree by construction; what can differ are
the proportions of the faces: `proportion` is the distance between the eyes over that from eyes to mouth.

python benchmarks/synth_alignment.py --people 250 --images 5 --json alignment.json
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets import load_orl
from facedistill.faces import CROP_112X96, Detector, find_face, similarity_transform
from facedistill.progress import track
from facedistill.synth.image_formation import DETECTOR_YAWS, MIRRORED, ImageFormation, face_frame
from facedistill.synth.person import draw_person

Floats = NDArray[np.float64]
POINTS = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")
FRONTAL = 25  # degrees


def in_crop(landmarks: Floats) -> Floats:
    """Landmarks [5, 2] of a photo in the crop that is aligned by them, [5, 2]."""
    matrix = similarity_transform(landmarks, CROP_112X96.template)
    return np.asarray(landmarks @ matrix[:, :2].T + matrix[:, 2])


def real_points() -> Floats:
    """Mean landmarks of MTCNN in the aligned crops of ORL, [5, 2]."""
    detector = Detector()
    faces = load_orl()
    found = [find_face(detector, faces[index].image) for index in track(range(len(faces)), "detecting faces in ORL")]
    return np.asarray(np.mean([in_crop(face.landmarks) for face in found if face is not None], axis=0))


def proportion(points: Floats) -> float:
    """Eye to eye over eyes to mouth."""
    return float((points[1, 0] - points[0, 0]) / (points[3:, 1].mean() - points[:2, 1].mean()))


def labels_of(people: int, images: int, seed: int) -> list[dict[str, Any]]:
    """Labels of pictures without occlusion; each with `offset` [5, 2], MTCNN's landmarks minus those of the labels."""
    image_formation = ImageFormation()
    rows = []
    for number, image in track([(person, image) for person in range(people) for image in range(images)], "rendering"):
        row = image_formation.capture(draw_person(seed, number), seed, image).labels
        if row["occlusion"] == "none" and not row["sunglasses"]:
            labelled, row["points"] = (np.reshape(row[name], (5, 2)) for name in ("landmarks", "landmarks_used"))
            row["offset"] = (row["points"] - labelled) @ np.linalg.inv(face_frame(labelled))
            rows.append(row)
    return rows


def offsets_by_yaw(rows: list[dict[str, Any]]) -> Floats:
    """[len(DETECTOR_YAWS), 5, 2]; pictures with a yaw to the left are mirrored."""
    yaw = np.array([row["yaw"] for row in rows])
    offsets = np.array([row["offset"] for row in rows])
    offsets = np.concatenate([offsets, offsets[:, MIRRORED] * [-1, 1]])
    yaw = np.concatenate([yaw, -yaw])
    return np.array([offsets[np.abs(yaw - middle) < 10].mean(axis=0) for middle in DETECTOR_YAWS])


def main() -> None:
    """Renders, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=250)
    parser.add_argument("--images", type=int, default=5)
    parser.add_argument("--seed", type=int, default=77, help="should differ from that of a training set")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = labels_of(options.people, options.images, options.seed)
    detected = [row for row in rows if row["detected"]]
    frontal = [row for row in detected if abs(row["yaw"]) < FRONTAL and row["pitch"] < 15]
    sets = {
        "template": CROP_112X96.template,
        "ORL": real_points(),
        "synthetic": np.mean([in_crop(row["points"]) for row in frontal], axis=0),
    }
    print(f"{'point':20}" + "".join(f"{name + ' x, y':>18}" for name in sets))
    for k, name in enumerate(POINTS):
        print(f"{name:20}" + "".join(f"{points[k, 0]:10.2f}{points[k, 1]:8.2f}" for points in sets.values()))
    print(f"{'proportion':20}" + "".join(f"{proportion(points):18.3f}" for points in sets.values()))
    offsets = offsets_by_yaw(detected)
    print("MTCNN less labels, right and down in units of the distance between the eyes:")
    for yaw, offset in zip(DETECTOR_YAWS, offsets, strict=True):
        print(f"  yaw {yaw:2}: {np.round(offset, 3).tolist()}")
    share = len(detected) / len(rows)
    print(f"detected: {share:.1%} of the pictures without occlusion")
    if options.json:
        content = {name: points.tolist() for name, points in sets.items()}
        content |= {"offsets": offsets.tolist(), "yaws": list(DETECTOR_YAWS)}
        options.json.write_text(json.dumps(content | {"detected": share}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
