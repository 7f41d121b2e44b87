"""From the pictures of a test set and a model's embeddings to curves, histograms, reliability and the hardest pairs."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from facedistill.datasets import Face, FaceList, FaceSet, PairSet
from facedistill.errors import FacedistillError
from facedistill.evaluation.cache import cached_embeddings
from facedistill.evaluation.embedding import Embed
from facedistill.evaluation.groups import group_figures
from facedistill.evaluation.labels import Attribute, Columns, attributes_of
from facedistill.evaluation.metrics import Bool, Float, Int, Ranking, paired_cosines, unit_rows
from facedistill.evaluation.probability import probabilities, reliability
from facedistill.evaluation.sweep import read_faces, readable
from facedistill.evaluation.trials import Trial, all_pairs, draw, listed_pairs
from facedistill.model_file import BOTH_PREFIX, NATIVE, Logistic
from facedistill.pictures import encode_picture
from facedistill.report.figures import DetCurve, HardPair, Histogram, Scores
from facedistill.variance import Crop, degrade_face

_WORK = 1_000_000_000  # pairs looked at for the bands of one curve
_PAIRS_AT_ONCE = 1 << 17
_LEAST_REPLICATES, _MOST_REPLICATES = 40, 200
_GRID = np.logspace(-6, 0, 6 * 12 + 1)
_EDGES = np.linspace(-1, 1, 401)
_HARDEST = 6
_JPEG_QUALITY = 82


@dataclass(frozen=True, eq=False)
class TestImages:
    """The readable pictures of a test set, all of one size, and who is compared with whom.

    Attributes:
        probes: The one side of each pair.
        gallery: The other; the same object where every two pictures are compared.
        same: bool [P] of listed pairs, whose people are not known; None where every two pictures are compared.
        attributes: Name -> groups of the pictures, where the set has labels.
    """

    probes: FaceList
    gallery: FaceList
    same: Bool | None
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    @property
    def content(self) -> tuple[str, str]:
        """What distinguishes this set from another with crops of the same size."""
        return self.probes.digest, self.gallery.digest

    @property
    def names(self) -> tuple[list[str], list[str], list[int]]:
        """What distinguishes this set from another, whatever the size of the crops."""
        keys = [[face.key for face in side.faces] for side in (self.probes, self.gallery)]
        return keys[0], keys[1], self.probes.labels.tolist()

    @cached_property
    def trial(self) -> Trial:
        """The comparisons made at every resolution, as in the matched cells of `sweep`."""
        if self.same is not None:
            return listed_pairs(self.same, self._draws)
        return all_pairs(self.probes.labels, False, self._draws)

    @property
    def sides(self) -> Int | None:
        """int64 [P, 2], who is on each side of the trial; None where people are not known."""
        people = self.probes.labels
        return None if self.same is not None else np.stack((people[self.trial.left], people[self.trial.right]), axis=1)

    @cached_property
    def _draws(self) -> Int:
        units, pairs = self.probes.classes, len(self.probes) ** 2
        if self.same is not None:
            units = pairs = len(self.same)
        return draw(units, int(np.clip(_WORK // pairs, _LEAST_REPLICATES, _MOST_REPLICATES)), seed=0)


def face_set_pictures(faces: FaceSet, labels: Columns | None = None) -> TestImages:
    """Every two pictures of a face set.

    Args:
        faces: The set.
        labels: What is known of each of its pictures.

    Raises:
        FacedistillError: No picture can be read.
    """
    found, people = read_faces(faces, "the test set")
    side = FaceList(replace(face, label=int(label)) for face, label in zip(found.values(), people, strict=True))
    columns = {name: [values[index] for index in found] for name, values in (labels or {}).items()}
    return TestImages(side, side, None, attributes_of(columns, people))


def listed_pictures(pairs: PairSet) -> TestImages:
    """The pairs of a list; those that hold an unreadable picture are left out, as in `evaluate`.

    Raises:
        FacedistillError: No pair can be read.
    """

    def face(index: int, place: int) -> Face:
        return Face(pairs.image(place), index, f"picture {place}")

    def pair(index: int) -> tuple[Face, Face]:
        return face(index, int(pairs.first[index])), face(index, int(pairs.second[index]))

    found = readable(pair, len(pairs), pairs.source)
    gallery, probes = (FaceList(side) for side in zip(*found.values(), strict=True))
    return TestImages(probes, gallery, pairs.same[list(found)])


def similarities(
    embed: Embed, digest: str, pictures: TestImages, resolutions: Sequence[str], folder: Path
) -> dict[str, Float]:
    """One model's similarities, both pictures degraded: resolution -> float64 [P], in the order of `pictures.trial`.

    Args:
        embed: uint8 [B, H, W, 3] -> [B, D].
        digest: What the model is known by.
        pictures: Of the test set.
        resolutions: "native" or rows of the degraded pictures.
        folder: Where the embeddings are kept, so that the model embeds them once.

    Raises:
        FacedistillError: An embedding is zero or NaN, or the folder cannot be written.
    """

    def embedded(side: FaceList, resolution: str) -> Float:
        rows = None if resolution == NATIVE else int(resolution)
        kept = cached_embeddings(embed, side, digest, folder, rows)
        return unit_rows(kept.embeddings, f"the embeddings at {resolution}")

    trial = pictures.trial
    scores = {}
    for name in resolutions:
        probes = embedded(pictures.probes, name)
        gallery = probes if pictures.gallery is pictures.probes else embedded(pictures.gallery, name)
        parts = [slice(start, start + _PAIRS_AT_ONCE) for start in range(0, len(trial.left), _PAIRS_AT_ONCE)]
        scores[name] = np.concatenate(
            [paired_cosines(probes[trial.left[part]], gallery[trial.right[part]]) for part in parts]
        )
    return scores


def summarise(
    scores: Mapping[str, Float], pictures: TestImages, probability: Mapping[str, Logistic]
) -> dict[str, Scores]:
    """What similarities say at each resolution.

    Args:
        scores: From `similarities`.
        pictures: The same.
        probability: Condition -> what the model file takes for the probability of the same person; may be empty. Two
            pictures at 16 rows are its condition "both 16".
    """
    stated = {name: probability.get(name if name == NATIVE else BOTH_PREFIX + name) for name in scores}
    return {name: _summary(values, pictures, name, stated[name]) for name, values in scores.items()}


def compare_groups(values: Float, pictures: TestImages) -> dict[str, Any]:
    """Errors by condition and group at one threshold; of a set with labels."""
    one, other = pictures.trial.left, pictures.trial.right
    # Either picture of a pair is once the probe.
    left, right = np.concatenate((one, other)), np.concatenate((other, one))
    values = np.concatenate((values, values))
    return group_figures(values, left, right, pictures.probes.labels, pictures.attributes).to_json()


def _summary(values: Float, pictures: TestImages, resolution: str, probability: Logistic | None) -> Scores:
    trial = pictures.trial
    genuine, impostors = np.flatnonzero(trial.same), np.flatnonzero(~trial.same)
    return Scores(
        trade=_det_curve(trial, values),
        histogram=_histogram(values[genuine], values[impostors]),
        reliability=asdict(reliability(probabilities(probability, values), trial.same)) if probability else None,
        genuine=len(genuine),
        impostors=len(impostors),
        hardest_genuine=_hardest(pictures, resolution, values, genuine[np.argsort(values[genuine])]),
        hardest_impostors=_hardest(pictures, resolution, values, impostors[np.argsort(-values[impostors])]),
    )


def _det_curve(trial: Trial, values: Float) -> DetCurve:
    ranking = Ranking(values, trial.same)
    impostors = np.count_nonzero(~trial.same)
    grid = _GRID[_GRID * impostors >= 1 - 1e-9]
    units = trial.units[ranking.order]

    def tmr(weight: Float) -> Float:
        curve = ranking.sorted_curve(weight)
        accepted = np.searchsorted(curve.fmr, grid * (1 + 1e-12), side="right")  # 10**-2 may round below 1 %
        return np.concatenate(([0.0], curve.tmr))[accepted]

    replicates = []
    for table in trial.tables():
        with suppress(FacedistillError):  # a replicate that drew no pair of one class (a handful of identities)
            replicates.append(tmr(table[units]))
    low, high = np.percentile(replicates, (2.5, 97.5), axis=0) if replicates else (np.empty(0), np.empty(0))
    return DetCurve(grid.tolist(), tmr(np.ones(len(values))).tolist(), low.tolist(), high.tolist())


def _histogram(genuine: Float, impostors: Float) -> Histogram:
    shares = [(np.histogram(values, _EDGES)[0] / len(values)).tolist() for values in (genuine, impostors)]
    return Histogram(_EDGES.tolist(), *shares)


def _hardest(pictures: TestImages, resolution: str, values: Float, ordered: Int) -> list[HardPair]:
    """The first pairs in the order given, each two people (or each person) once, so that one odd picture is not all."""
    found: list[HardPair] = []
    met: set[frozenset[int]] = set()
    for pair in ordered:
        left, right = pictures.trial.left[pair], pictures.trial.right[pair]
        probe, mate = pictures.probes.faces[left], pictures.gallery.faces[right]
        who = frozenset((probe.label, mate.label))
        if who in met:
            continue
        met.add(who)
        shown = _seen(probe.image, resolution), _seen(mate.image, resolution)
        found.append(HardPair(float(values[pair]), probe.key, mate.key, shown))
        if len(found) == _HARDEST:
            break
    return found


def _seen(crop: Crop, resolution: str) -> bytes:
    """A picture as the model saw it, JPEG."""
    return encode_picture(crop if resolution == NATIVE else degrade_face(crop, int(resolution)), ".jpg", _JPEG_QUALITY)
