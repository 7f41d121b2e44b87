"""How real and how different synthetic people look: to MTCNN, to the dlib teacher, and to a linear probe beside ORL.

Prints the first prototype's figures beside today's and writes them as JSON. Run: python benchmarks/synth_figures.py
"""

import argparse
import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np

from facedistill.datasets import align_faces, load_orl
from facedistill.faces import Detector, align, find_face
from facedistill.progress import track
from facedistill.synth.conditions import draw_conditions
from facedistill.synth.person import draw_person
from facedistill.synth.sensor import apply_sensor
from facedistill.synth.studio import Studio
from facedistill.teachers import load_teacher

PROTOTYPE = {"detected": 0.89, "nearest_other": 0.385, "spread": 0.140, "eer": 0.018, "probe": 0.97}
REAL = {"detected": None, "nearest_other": 0.533, "spread": 0.241, "eer": 0.0035, "probe": 0.5}
WORDS = {
    "detected": "found by MTCNN with p > .99",
    "nearest_other": "distance to the nearest other person (dlib)",
    "spread": "between-identity variance (dlib)",
    "eer": "EER of dlib, near-frontal",
    "probe": "linear probe: synthetic or ORL?",
}
PROBE_SIZE = (28, 32)  # columns, rows


def near_frontal(seed: int, people: int, images: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Aligned crops, their labels, and the share of photos in which the detector was sure of a face."""
    studio, detector = Studio(), Detector()
    crops, labels, sure = [], [], 0
    for number in track(range(people), "photographing synthetic people", unit="people"):
        person = draw_person(seed, number)
        for picture in range(images):
            conditions = draw_conditions(person, seed, picture)
            pose = dataclasses.replace(
                conditions.pose,
                yaw=float(np.clip(conditions.pose.yaw, -25, 25)),
                pitch=np.clip(conditions.pose.pitch, -15, 15),
            )
            conditions = dataclasses.replace(conditions, pose=pose)
            photo = studio.render(person, conditions)
            rng = np.random.default_rng((seed, number, picture))
            image = apply_sensor(photo.image, conditions.sensor, rng)
            face = find_face(detector, image)
            if face is None:
                continue
            sure += face.score > 0.99
            crops.append(align(image, face.landmarks))
            labels.append(number)
    return np.array(crops), np.array(labels), sure / (people * images)


def identity_figures(embeddings: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Nearest other centroid, between-identity variance, and equal error rate of Euclidean distances."""
    names = np.unique(labels)
    centroids = np.array([embeddings[labels == name].mean(axis=0) for name in names])
    apart = np.linalg.norm(centroids[:, None] - centroids[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    first, second = np.triu_indices(len(labels), 1)
    same = labels[first] == labels[second]
    distances = np.linalg.norm(embeddings[first] - embeddings[second], axis=1)
    genuine, impostor = np.sort(distances[same]), np.sort(distances[~same])
    thresholds = np.concatenate([genuine, impostor])
    misses = 1 - np.searchsorted(genuine, thresholds, side="right") / len(genuine)
    alarms = np.searchsorted(impostor, thresholds, side="right") / len(impostor)
    best = np.argmin(np.abs(misses - alarms))
    return {
        "nearest_other": float(apart.min(axis=1).mean()),
        "spread": float(((centroids - centroids.mean(axis=0)) ** 2).sum(axis=1).mean()),
        "eer": float((misses[best] + alarms[best]) / 2),
    }


def probe_accuracy(synthetic: np.ndarray, labels: np.ndarray, real: np.ndarray, real_labels: np.ndarray) -> float:
    """Balanced accuracy of ridge regression on small grey crops, ten folds, no person in both halves of a fold."""
    rows = [cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), PROBE_SIZE, interpolation=cv2.INTER_AREA)
            for crop in (*synthetic, *real)]  # fmt: skip
    pixels = np.array(rows, np.float64).reshape(len(rows), -1)
    pixels = (pixels - pixels.mean(axis=1, keepdims=True)) / (pixels.std(axis=1, keepdims=True) + 1e-6)
    truth = np.array([1.0] * len(synthetic) + [-1.0] * len(real))
    person = np.concatenate([labels, labels.max() + 1 + real_labels])
    fold = np.random.default_rng(0).permutation(person.max() + 1)[person] % 10
    right: dict[float, list[float]] = {1.0: [], -1.0: []}
    for number in range(10):
        train = fold != number
        weight = np.where(truth[train] > 0, 1 / (truth[train] > 0).sum(), 1 / (truth[train] < 0).sum())
        x = np.concatenate([pixels[train], np.ones((train.sum(), 1))], axis=1)
        normal = x.T @ (x * weight[:, None]) + 0.05 * np.eye(x.shape[1])
        solution = np.linalg.solve(normal, x.T @ (truth[train] * weight))
        said = np.concatenate([pixels[~train], np.ones(((~train).sum(), 1))], axis=1) @ solution
        for side in (1.0, -1.0):
            right[side] += list(np.sign(said[truth[~train] == side]) == side)
    return float((np.mean(right[1.0]) + np.mean(right[-1.0])) / 2)


def real_crops() -> tuple[np.ndarray, np.ndarray]:
    """The 400 ORL pictures, aligned like everything else."""
    faces = align_faces(load_orl()).faces
    return np.array([face.image for face in faces.faces]), faces.labels


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=150)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    crops, labels, sure = near_frontal(options.seed, options.people, options.images)
    teacher = load_teacher("dlib")
    embeddings = np.concatenate(
        [teacher.embed(crops[i : i + 32]) for i in track(range(0, len(crops), 32), "dlib looks")]
    )
    now = {"detected": sure, **identity_figures(embeddings, labels)}
    now["probe"] = probe_accuracy(crops, labels, *real_crops())
    print(f"{options.people} people x {options.images} pictures, yaw within 25 and pitch within 15 degrees")
    print(f"{'figure':<46}{'prototype':>10}{'now':>8}{'ORL':>8}")
    for name, word in WORDS.items():
        real = "" if REAL[name] is None else f"{REAL[name]:.4g}"
        print(f"{word:<46}{PROTOTYPE[name]:>10.3f}{now[name]:>8.3f}{real:>8}")
    if options.json:
        options.json.write_text(
            json.dumps({"prototype": PROTOTYPE, "now": now, "orl": REAL}, indent=2), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
