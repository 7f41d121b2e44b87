"""What a similarity means at each resolution: thresholds with their uncertainty, and a probability."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from facedistill.datasets import FaceSet
from facedistill.evaluation.embedding import Crop, Embed, embed_at
from facedistill.evaluation.metrics import Float, Int, Ranking, supported, unit_rows
from facedistill.evaluation.probability import Reliability, fit_probability, measure_reliability
from facedistill.evaluation.sweep import RESOLUTIONS, check_rows, read_faces
from facedistill.evaluation.trials import draw, intervals, picture_pairs
from facedistill.model_file import BOTH_PREFIX, MATCHED_PREFIX, NATIVE, Logistic
from facedistill.progress import track
from facedistill.variance import CROP_ROWS, matching

FMRS = {"1e-1": 1e-1, "1e-2": 1e-2, "1e-3": 1e-3, "1e-4": 1e-4, "1e-5": 1e-5, "1e-6": 1e-6}

Camera = Callable[[Crop], Crop]
Sides = tuple[Float, Float]  # unit embeddings [N, D] of the probes and of the gallery


def grey(crop: Crop) -> Crop:
    """A crop, uint8 [H, W, 3], as a grey camera shows it (ITU-R BT.601)."""
    return np.repeat(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2).astype(np.uint8)


def equalised(crop: Crop) -> Crop:
    """A crop, uint8 [H, W, 3], as a grey camera that equalises contrast locally shows it.

    CLAHE (Zuiderveld, Graphics Gems IV, 1994), limit 3, 4 x 4 tiles.
    """
    return grey(np.repeat(cv2.createCLAHE(3.0, (4, 4)).apply(grey(crop)[..., 0])[..., None], 3, axis=2))


OTHER_CAMERAS: tuple[Camera, ...] = (grey, equalised)


@dataclass(frozen=True)
class Calibration:
    """What the similarities of one condition mean.

    Attributes:
        thresholds: FMR ("1e-1".."1e-6") -> the least similarity at which at most that share of impostor pairs matches.
            An FMR below one impostor pair's share does not appear.
        intervals: FMR -> [low, high], 95 % percentile bootstrap over identities. No replicate can show two people more
            alike than the measured ones, so at an FMR of a few pairs the upper end is too low.
        probability: Similarity -> probability of the same person at even odds.
        reliability: Of the probability, on people it was not fitted on.
        genuine: Pairs of the same person.
        impostors: Pairs of different people.
    """

    thresholds: dict[str, float]
    intervals: dict[str, list[float]]
    probability: Logistic
    reliability: Reliability
    genuine: int
    impostors: int


def calibrate(
    embed: Embed,
    faces: FaceSet,
    resolutions: Sequence[int] = RESOLUTIONS,
    bootstrap: int = 200,
    seed: int = 0,
    cameras: Sequence[Camera] = (),
) -> dict[str, Calibration]:
    """Calibrates a model on a face set, by resolution and by the way of comparing.

    "16": one face has 16 rows, and both are embedded as they are. "matched 16": as `Recognizer.verify` compares them,
    the native one degraded before it is embedded (`variance.matching`). "both 16": both have so many rows. Two blurred
    faces resemble each other: at the threshold of the first case, they may match many times as often as promised.

    Args:
        embed: uint8 [B, H, W, 3] -> [B, D].
        faces: Aligned crops of at least four people; the people must not be those the net was trained on.
        resolutions: Rows of the degraded faces.
        bootstrap: Resamples behind the intervals; 0 leaves them out.
        seed: Of the resamples.
        cameras: How the crops are shown before they are degraded; the pairs are those of pictures by one camera, of all
            cameras together. None shows them as they are.

    Returns:
        {"native": ..., "30": ..., "both 30": ..., "matched 30": ..., ...}; nothing is matched to `NATIVE_ROWS` or more.

    Raises:
        UsageError, FacedistillError: As for `sweep`.
    """
    check_rows(resolutions)
    found, people = read_faces(faces)
    draws = draw(int(people.max()) + 1, bootstrap, seed)
    crops = [face.image for face in found.values()]
    shown = [_conditions(embed, [camera(crop) for crop in crops], resolutions) for camera in cameras] or [
        _conditions(embed, crops, resolutions)
    ]
    return {
        name: _calibrate_condition([sides[name] for sides in shown], people, draws)
        for name in track(shown[0], "calibrating", len(shown[0]), unit="conditions")
    }


def as_metadata(calibrations: dict[str, Calibration]) -> dict[str, dict[str, Any]]:
    """The calibration as the fields of `ModelMetadata` hold it."""
    return {
        "thresholds": {name: found.thresholds for name, found in calibrations.items()},
        "threshold_intervals": {name: found.intervals for name, found in calibrations.items() if found.intervals},
        "probability": {name: found.probability for name, found in calibrations.items()},
        "reliability": {
            name: asdict(found.reliability) | {"genuine": found.genuine, "impostors": found.impostors}
            for name, found in calibrations.items()
        },
    }


def _conditions(embed: Embed, crops: Sequence[Crop], resolutions: Sequence[int]) -> dict[str, Sides]:
    """Probes and gallery under each condition; the same array twice where both sides are alike."""
    mates = {str(rows): matching(CROP_ROWS, rows) for rows in resolutions}
    rungs = {int(name) for names in mates.values() for name in names if name != NATIVE} - set(resolutions)
    embeddings = embed_at(embed, crops, [*resolutions, *sorted(rungs)])
    native = embeddings[NATIVE]
    conditions = {NATIVE: (native, native)}
    for name, mate in mates.items():
        probes = embeddings[name]
        conditions |= {name: (probes, native), BOTH_PREFIX + name: (probes, probes)}
        if mate != (NATIVE,):
            mean = np.mean([embeddings[each] for each in mate], axis=0)
            conditions[MATCHED_PREFIX + name] = (probes, unit_rows(mean, f"the mean embeddings at {', '.join(mate)}"))
    return conditions


def _calibrate_condition(shown: Sequence[Sides], people: Int, draws: Int) -> Calibration:
    """Calibrates on the pairs of all cameras; each has as many, so each weighs alike."""
    left, right, same = picture_pairs(people, ordered=shown[0][0] is not shown[0][1])
    scores = np.concatenate([np.clip(probes @ gallery.T, -1.0, 1.0)[left, right] for probes, gallery in shown])
    sides = np.tile(np.stack((people[left], people[right]), axis=1), (len(shown), 1))
    same = np.tile(same, len(shown))
    curve = Ranking(scores, same).curve()
    rates = {name: fmr for name, fmr in FMRS.items() if supported([fmr], same)}
    return Calibration(
        thresholds={name: curve.threshold_at(fmr) for name, fmr in rates.items()},
        intervals=_intervals(scores[~same], sides[~same], rates, draws),
        probability=fit_probability(scores, same),
        reliability=measure_reliability(scores, same, sides),
        genuine=int(np.count_nonzero(same)),
        impostors=int(np.count_nonzero(~same)),
    )


def _intervals(scores: Float, sides: Int, rates: dict[str, float], draws: Int) -> dict[str, list[float]]:
    """The intervals of the thresholds; a pair of people drawn n and m times counts n * m times."""
    if not rates:
        return {}
    order = np.argsort(-scores, kind="stable")
    descending = scores[order]
    units = (sides[:, 0] * draws.shape[1] + sides[:, 1])[order]
    pairs = np.bincount(units, minlength=draws.shape[1] ** 2)
    found: dict[str, list[float]] = {name: [] for name in rates}
    for counts in draws.astype(np.float64):
        weights = np.outer(counts, counts).ravel()
        total = float(weights @ pairs)
        if not total:  # everybody in this replicate is the same person
            continue
        for count in (len(units) // 4, len(units)):  # nearly always the highest quarter holds all thresholds
            shares = np.cumsum(weights[units[:count]]) / total
            if count and shares[-1] > max(rates.values()):
                break
        for name, fmr in rates.items():
            first_too_many = int(np.searchsorted(shares, fmr, side="right"))
            found[name].append(float(np.nextafter(descending[first_too_many], np.inf)))
    return intervals(found)
