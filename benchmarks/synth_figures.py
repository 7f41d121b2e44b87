"""Realism and diversity of synthetic people, measured by MTCNN, the dlib teacher, and a linear probe against ORL.

Prints the figures of the first prototype and of the current renderer, mean and standard deviation over seeds with other
people each; and writes them as JSON. Run: python benchmarks/synth_figures.py
"""

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from facedistill.datasets import align_faces, load_orl
from facedistill.faces import Detection, Detector, align, find_face
from facedistill.files import write_text
from facedistill.progress import track
from facedistill.synth.conditions import Conditions, draw_conditions
from facedistill.synth.image_formation import PHOTO_SIZE
from facedistill.synth.person import draw_person
from facedistill.synth.renderer import Renderer
from facedistill.synth.sensor import apply_sensor
from facedistill.teachers import load_teacher

# Hair, glasses and clothes are constant per person in the prototype and mostly in ORL, so both compare with `same_day`.
PROTOTYPE = {
    "detected": 0.89,
    "probe": 0.97,
    "nearest_other_same_day": 0.385,
    "spread_same_day": 0.140,
    "eer_same_day": 0.018,
    "eer_all": 0.055,
}
TITLES = {
    "detected": "found by MTCNN with p > .99",
    "probe": "linear probe: synthetic or ORL?",
    "nearest_other_same_day": "same day: distance to the nearest other person (dlib)",
    "nearest_of_40_same_day": "  the same among 40 people, as many as ORL has",
    "spread_same_day": "  between-identity variance (dlib)",
    "eer_same_day": "  EER of dlib, near-frontal",
    "nearest_other": "sampled per picture: distance to the nearest other person",
    "nearest_of_40": "  the same among 40 people",
    "spread": "  between-identity variance",
    "eer": "  EER of dlib, near-frontal",
    "eer_all": "  EER of dlib, all pictures",
}
ORL_PEOPLE = 40
YAW, PITCH = 20, 15  # degrees, of near-frontal pictures
LONGEST = 60  # limit of pictures per person: with `same_day` and sunglasses none is near-frontal
PROBE_SIZE = (28, 32)  # columns, rows


@dataclass
class DetectedFaces:
    """Aligned crops and labels of the detected faces; number of photos, and of those with an MTCNN score above .99."""

    crops: list[np.ndarray] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    photos: int = 0
    sure: int = 0

    def add(self, image: np.ndarray, person: int, face: Detection | None) -> None:
        """Adds a photo and its detection."""
        self.photos += 1
        if face is not None:
            self.sure += face.score > 0.99
            self.crops.append(align(image, face.landmarks))
            self.labels.append(person)


def near_frontal(conditions: Conditions) -> bool:
    """Whether a picture is comparable to those of the first prototype: near-frontal, without occlusion."""
    pose = conditions.pose
    hidden = conditions.occlusion != "none" or conditions.wear.sunglasses
    return abs(pose.yaw) <= YAW and abs(pose.pitch) <= PITCH and not hidden


def render_people(seed: int, people: int, images: int, same_day: bool = False) -> tuple[DetectedFaces, DetectedFaces]:
    """Renders `images` near-frontal pictures of each person, and the first `images` pictures of all kinds."""
    renderer, detector = Renderer(), Detector()
    frontal, every = DetectedFaces(), DetectedFaces()
    for number in track(range(people), "rendering synthetic people", unit="people"):
        person = draw_person(seed, number)
        taken = 0
        for picture in range(LONGEST):
            if taken == images:
                break
            conditions = draw_conditions(person, seed, picture, same_day)
            comparable = near_frontal(conditions)
            if comparable or picture < images:
                rng = np.random.default_rng((seed, number, picture))
                image = apply_sensor(renderer.render(person, conditions, PHOTO_SIZE).image, conditions.sensor, rng)
                face = find_face(detector, image)
                if comparable:
                    frontal.add(image, number, face)
                    taken += 1
                if picture < images:
                    every.add(image, number, face)
    return frontal, every


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


def measure(found_faces: DetectedFaces) -> dict[str, float]:
    """`identity_figures` of dlib's embeddings of the crops, and the nearest other among 40 people at a time."""
    teacher = load_teacher("dlib")
    parts = [np.array(found_faces.crops[i : i + 32]) for i in range(0, len(found_faces.crops), 32)]
    embeddings = np.concatenate([teacher.embed(part) for part in track(parts, "computing dlib embeddings")])
    labels = np.array(found_faces.labels)
    people = np.unique(labels)
    groups = [people[i : i + ORL_PEOPLE] for i in range(0, len(people) - ORL_PEOPLE + 1, ORL_PEOPLE)]
    among = [np.isin(labels, group) for group in groups]
    nearest = [identity_figures(embeddings[few], labels[few])["nearest_other"] for few in among]
    return {**identity_figures(embeddings, labels), "nearest_of_40": float(np.mean(nearest))}


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
        outputs = np.concatenate([pixels[~train], np.ones(((~train).sum(), 1))], axis=1) @ solution
        for side in (1.0, -1.0):
            right[side] += list(np.sign(outputs[truth[~train] == side]) == side)
    return float((np.mean(right[1.0]) + np.mean(right[-1.0])) / 2)


def figures_of(seed: int, people: int, images: int, real: DetectedFaces) -> dict[str, float]:
    """All figures of the people of one seed."""
    frontal, every = render_people(seed, people, images)
    kept = render_people(seed, people, images, same_day=True)[0]
    crops, labels = np.array(frontal.crops), np.array(frontal.labels)
    return {
        "detected": frontal.sure / frontal.photos,
        "probe": probe_accuracy(crops, labels, np.array(real.crops), np.array(real.labels)),
        **measure(frontal),
        **{f"{name}_same_day": value for name, value in measure(kept).items()},
        "eer_all": measure(every)["eer"],
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[21, 22, 23], help="nothing was tuned on these")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    if options.people < ORL_PEOPLE:
        parser.error(f"--people is {options.people}; {ORL_PEOPLE} are needed, as many as ORL has")
    faces = align_faces(load_orl()).faces
    real = DetectedFaces([face.image for face in faces.faces], faces.labels.tolist())
    detector = Detector()
    found = [find_face(detector, face.image) for face in load_orl().faces]
    on_orl = {f"{name}_same_day": value for name, value in measure(real).items()}
    on_orl["detected"] = float(np.mean([face is not None and face.score > 0.99 for face in found]))
    each = [figures_of(seed, options.people, options.images, real) for seed in options.seeds]
    values = {name: [figures[name] for figures in each] for name in TITLES}
    now = {name: float(np.mean(figures)) for name, figures in values.items()}
    print(
        f"{options.people} people x {options.images} pictures, yaw within {YAW} and pitch within {PITCH} degrees; "
        f"seeds {', '.join(map(str, options.seeds))}"
    )
    print(f"{'figure':<78}{'prototype':>10}{'now':>16}{'ORL':>8}")
    for name, title in TITLES.items():
        before, there = (f"{row[name]:.3f}" if name in row else "" for row in (PROTOTYPE, on_orl))
        spread = f" +- {np.std(values[name], ddof=1):.3f}" if len(each) > 1 else ""
        print(f"{title:<78}{before:>10}{f'{now[name]:.3f}{spread}':>16}{there:>8}")
    if options.json:
        content = {"prototype": PROTOTYPE, "now": now, "seeds": options.seeds, "values": values, "orl": on_orl}
        write_text(options.json, json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
