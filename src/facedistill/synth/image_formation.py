"""Image formation: one labelled picture: rendering, sensor model, detection and alignment."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facedistill.faces import CropConvention, Detection, Detector, align, crop_convention, similarity_transform
from facedistill.synth.conditions import Conditions, draw_conditions
from facedistill.synth.person import Person
from facedistill.synth.renderer import RenderedImage, Renderer
from facedistill.synth.sensor import apply_sensor
from facedistill.synth.wider import widen

PHOTO_SIZE = 128  # rows and columns of a photo; faces have about the scale of an aligned 112x96 crop
_SMALLEST_FACE = 70  # pixels; nearly all faces are larger
_NOISE_STREAM = 0x5E50
_EYES_TO_MOUTH = 1.15  # of the 112x96 template, in units of the distance between the eyes
_LARGEST_ERROR = 0.35  # largest error of a detection's landmarks, in distances between the eyes

# Mean offsets of MTCNN's landmarks from the labels, as benchmarks/synth_alignment.py prints them: right and down in the
# frame of the face, in units of the distance between the eyes, for faces turned to the picture's right by
# DETECTOR_YAWS; for faces turned to the left they are mirrored.
DETECTOR_YAWS = (0, 20, 40, 60)
DETECTOR_OFFSETS = np.array(
    [
        [[0.019, 0.004], [-0.019, 0.004], [0.0, -0.04], [-0.015, 0.056], [0.015, 0.056]],
        [[0.02, 0.002], [-0.021, 0.003], [-0.014, -0.046], [-0.038, 0.061], [-0.014, 0.077]],
        [[0.002, -0.01], [-0.003, 0.033], [-0.04, -0.065], [-0.097, 0.078], [-0.061, 0.143]],
        [[-0.083, -0.045], [0.064, 0.033], [-0.067, -0.087], [-0.157, 0.096], [-0.04, 0.211]],
    ]
)
MIRRORED = [1, 0, 2, 4, 3]  # order of the landmarks of the mirror image


@dataclass(frozen=True, eq=False)
class Picture:
    """A labelled picture.

    Attributes:
        crop: uint8 [H, W, 3], aligned.
        photo: uint8 [PHOTO_SIZE, PHOTO_SIZE, 3], before alignment.
        labels: A row of `labels.parquet`.
    """

    crop: NDArray[np.uint8]
    photo: NDArray[np.uint8]
    labels: dict[str, Any]


class ImageFormation:
    """Forms labelled pictures of people; holds the renderer and the detector, so build one per process."""

    def __init__(self) -> None:
        self._renderer = Renderer()
        self._detector = Detector(min_face=_SMALLEST_FACE, threads=1)

    def capture(
        self,
        person: Person,
        seed: int,
        number: int,
        size: tuple[int, int] = (112, 96),
        same_day: bool = False,
        variety: float = 1.0,
        conditions: Conditions | None = None,
    ) -> Picture:
        """Picture `number` of a person; the same arguments give the same pixels in any process.

        The crop is aligned by the five landmarks that MTCNN finds, as real photos are. Where it finds none (some
        profiles, masks and hands), the labels' landmarks with MTCNN's mean offsets are used.

        Args:
            person: Person in the picture.
            seed: Seed of the set.
            number: The picture's number, from 0.
            size: (height, width) of a crop convention.
            same_day: See `draw_conditions`.
            variety: See `wider.widen`.
            conditions: Under which the picture is taken; None draws them, as the two arguments before tell.
        """
        conditions = conditions or widen(draw_conditions(person, seed, number, same_day), variety)
        rendered = self._renderer.render(person, conditions, PHOTO_SIZE)
        rng = np.random.default_rng((seed, person.number, number, _NOISE_STREAM))
        photo = apply_sensor(rendered.image, conditions.sensor, rng)
        expected = as_detected(rendered.landmarks, conditions.pose.yaw)
        found = self._find(photo, expected)
        points = found.landmarks if found is not None else expected
        labels = label_row(person, conditions) | {
            "detected": found is not None,
            "detector_score": found.score if found is not None else 0.0,
            "landmarks": rendered.landmarks.ravel().tolist(),
            "landmarks_used": points.ravel().tolist(),
            "landmarks_aligned": aligned_points(rendered, points, crop_convention(size)).ravel().tolist(),
        }
        return Picture(align(photo, points, size), photo, labels)

    def _find(self, photo: NDArray[np.uint8], expected: NDArray[np.float64]) -> Detection | None:
        """The detection nearest to the expected landmarks, or None where all are too far from them."""
        unit = float(np.linalg.norm(face_frame(expected)[0]))
        found = self._detector.detect(photo)
        errors = {float(np.linalg.norm(face.landmarks - expected, axis=1).mean()): face for face in found}
        return errors[min(errors)] if min(errors, default=math.inf) < _LARGEST_ERROR * unit else None


def as_detected(landmarks: NDArray[np.float64], yaw: float) -> NDArray[np.float64]:
    """The landmarks that MTCNN finds on average, float64 [5, 2], given the labels' [5, 2] and the yaw in degrees."""
    above = int(np.clip(np.searchsorted(DETECTOR_YAWS, abs(yaw)), 1, len(DETECTOR_YAWS) - 1))
    low, high = DETECTOR_YAWS[above - 1], DETECTOR_YAWS[above]
    share = min((abs(yaw) - low) / (high - low), 1.0)
    offsets = (1 - share) * DETECTOR_OFFSETS[above - 1] + share * DETECTOR_OFFSETS[above]
    if yaw < 0:
        offsets = offsets[MIRRORED] * [-1, 1]
    return np.asarray(landmarks + offsets @ face_frame(landmarks), dtype=np.float64)


def face_frame(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """The frame of a face in the picture: its right and down, each as long as the eyes are apart, float64 [2, 2].

    In profile the eyes coincide, so the length follows from the distance of eyes and mouth where that gives more.
    """
    across = landmarks[1] - landmarks[0]
    down = landmarks[3:].mean(axis=0) - landmarks[:2].mean(axis=0)
    right = np.array([down[1], -down[0]]) / _EYES_TO_MOUTH
    if np.linalg.norm(across) > np.linalg.norm(right):
        right = across
    return np.array([right, [-right[1], right[0]]])


def aligned_points(
    rendered: RenderedImage, used: NDArray[np.floating[Any]], convention: CropConvention
) -> NDArray[np.float64]:
    """The labels' landmarks in the crop that is aligned by the landmarks `used`, float64 [5, 2], pixels."""
    matrix = similarity_transform(used, convention.template)
    return np.asarray(rendered.landmarks @ matrix[:, :2].T + matrix[:, 2], dtype=np.float64)


def label_row(person: Person, conditions: Conditions) -> dict[str, Any]:
    """The columns of `labels.parquet` that follow from person and conditions."""
    pose, light, sensor = conditions.pose, conditions.light, conditions.sensor
    ancestries = ("ancestry_african", "ancestry_asian", "ancestry_european")
    return {
        "identity": person.number,
        "age": person.age + conditions.age_shift,
        "gender": person.gender,
        **dict(zip(ancestries, person.ancestry, strict=True)),
        "skin_tone": person.skin_tone,
        **{name: getattr(pose, name) for name in ("yaw", "pitch", "roll", "distance")},
        "expression": conditions.expression_kind,
        "light": light.kind,
        "light_azimuth": light.azimuth,
        "light_elevation": light.elevation,
        "light_strength": float(np.mean(light.key)),
        "background": conditions.background,
        **{f"hair_{name}": getattr(conditions.hair, name) for name in ("style", "melanin", "red", "grey")},
        "facial_hair": conditions.wear.facial_hair,
        "glasses": conditions.wear.glasses or "none",
        "sunglasses": conditions.wear.sunglasses,
        "headwear": conditions.wear.headwear or "none",
        "occlusion": conditions.occlusion,
        **{name: getattr(sensor, name) for name in ("exposure", "blur", "motion", "noise", "jpeg")},
    }
