"""From the pictures of a test set and a model's embeddings to curves, histograms and the hardest pairs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets import FaceSet, PairSet
from facedistill.errors import FacedistillError
from facedistill.evaluation.metrics import Float, Ranking
from facedistill.evaluation.report.figures import HardPair, Histogram, Scores, Trade
from facedistill.evaluation.sweep import Crop, Embed, embed_at, readable
from facedistill.evaluation.trials import Int, Trial, all_pairs, draw, listed_pairs
from facedistill.model_file import NATIVE
from facedistill.pictures import encode_picture
from facedistill.variance import degrade

_REPLICATES = 200
_GRID = np.logspace(-6, 0, 6 * 12 + 1)
_EDGES = np.linspace(-1, 1, 81)
_HARDEST = 6
_JPEG_QUALITY = 82


@dataclass(frozen=True, eq=False)
class Side:
    """One side of the comparisons.

    Attributes:
        crops: uint8 [H, W, 3] each.
        keys: Each picture's name.
    """

    crops: list[Crop]
    keys: list[str]


@dataclass(frozen=True, eq=False)
class PicturesTested:
    """The readable pictures of a test set, and whom they show.

    Attributes:
        probes: The side that is degraded.
        gallery: The side that stays as it is; the same object where every two pictures are compared.
        people: int64 [N], whom each picture shows, 0..I-1; None where only `same` is known.
        same: bool [P] of listed pairs; None where every two pictures are compared.
        digest: SHA-256 of the set.
    """

    probes: Side
    gallery: Side
    people: Int | None
    same: NDArray[np.bool_] | None
    digest: str

    @property
    def names(self) -> tuple[list[str], list[str], list[int]]:
        """What tells this set from another, whatever the size of its crops: the pictures' names, and who is who."""
        who = self.same if self.people is None else self.people
        return self.probes.keys, self.gallery.keys, [] if who is None else who.astype(int).tolist()

    @cached_property
    def _draws(self) -> Int:
        units = len(self.same) if self.same is not None else int(self._people.max()) + 1
        return draw(units, _REPLICATES, seed=0)

    @property
    def _people(self) -> Int:
        assert self.people is not None, "every two pictures are compared only where people are known"
        return self.people

    def trial(self, resolution: str) -> Trial:
        """The comparisons made at a resolution: ordered where the two sides differ, as in `sweep`."""
        if self.same is not None:
            return listed_pairs(self.same, self._draws)
        return all_pairs(self._people, resolution != NATIVE, self._draws)


def face_set_pictures(faces: FaceSet) -> PicturesTested:
    """Every two pictures of a face set.

    Raises:
        FacedistillError: No picture can be read.
    """
    found = readable(faces.__getitem__, len(faces), "the test set")
    side = Side([face.image for face in found], [face.key for face in found])
    people = np.unique([face.label for face in found], return_inverse=True)[1].astype(np.int64)
    return PicturesTested(side, side, people, None, faces.digest)


def listed_pictures(pairs: PairSet, digest: str) -> PicturesTested:
    """The pairs of a list; those that hold an unreadable picture are left out, as in `evaluate`.

    Raises:
        FacedistillError: No pair can be read.
    """

    def pair(index: int) -> tuple[int, Crop, Crop]:
        return index, pairs.image(int(pairs.first[index])), pairs.image(int(pairs.second[index]))

    found = readable(pair, len(pairs), pairs.source)
    kept = np.array([index for index, _, _ in found])
    gallery = Side([first for _, first, _ in found], [f"picture {pairs.first[index]}" for index in kept])
    probes = Side([second for _, _, second in found], [f"picture {pairs.second[index]}" for index in kept])
    return PicturesTested(probes, gallery, None, pairs.same[kept], digest)


def score(embed: Embed, pictures: PicturesTested, resolutions: Sequence[int]) -> dict[str, Scores]:
    """Scores of one model, natively and with the probe degraded.

    Args:
        embed: uint8 [B, H, W, 3] -> [B, D].
        pictures: Of the test set.
        resolutions: Rows of the degraded probe.

    Raises:
        FacedistillError: An embedding is zero or NaN.
    """
    probes = embed_at(embed, pictures.probes.crops, resolutions)
    same_side = pictures.gallery is pictures.probes
    gallery = probes[NATIVE] if same_side else embed_at(embed, pictures.gallery.crops, ())[NATIVE]
    return {name: _scores(pictures, name, rows, gallery) for name, rows in probes.items()}


def _scores(pictures: PicturesTested, resolution: str, probes: Float, gallery: Float) -> Scores:
    trial = pictures.trial(resolution)
    values = np.concatenate([
        np.einsum("pd,pd->p", probes[trial.left[part]], gallery[trial.right[part]])
        for part in _parts(len(trial.left))
    ]).clip(-1.0, 1.0)  # fmt: skip
    genuine = np.flatnonzero(trial.same)
    impostors = np.flatnonzero(~trial.same)
    return Scores(
        trade=_trade(trial, values),
        histogram=_histogram(values[genuine], values[impostors]),
        genuine=len(genuine),
        impostors=len(impostors),
        hardest_genuine=_hardest(pictures, resolution, trial, values, genuine[np.argsort(values[genuine])]),
        hardest_impostors=_hardest(pictures, resolution, trial, values, impostors[np.argsort(-values[impostors])]),
    )


def _parts(count: int, block: int = 1 << 17) -> Iterator[slice]:
    for start in range(0, count, block):
        yield slice(start, start + block)


def _trade(trial: Trial, values: Float) -> Trade:
    ranking = Ranking(values, trial.same)
    impostors = np.count_nonzero(~trial.same)
    grid = _GRID[_GRID * impostors >= 1 - 1e-9]
    units = trial.units[ranking.order]

    def tmr(weight: Float) -> Float:
        curve = ranking.sorted_curve(weight)
        accepted = np.searchsorted(curve.fmr, grid, side="right")
        rates: Float = np.concatenate(([0.0], curve.tmr))[accepted]
        return rates

    replicates = []
    for table in trial.tables():
        try:
            replicates.append(tmr(table[units]))
        except FacedistillError:  # this replicate drew no pair of one class (a handful of identities)
            continue
    low, high = np.percentile(replicates, (2.5, 97.5), axis=0) if replicates else (np.empty(0), np.empty(0))
    return Trade(grid.tolist(), tmr(np.ones(len(values))).tolist(), low.tolist(), high.tolist())


def _histogram(genuine: Float, impostors: Float) -> Histogram:
    shares = [(np.histogram(values, _EDGES)[0] / len(values)).tolist() for values in (genuine, impostors)]
    return Histogram(_EDGES.tolist(), *shares)


def _hardest(pictures: PicturesTested, resolution: str, trial: Trial, values: Float, ordered: Int) -> list[HardPair]:
    """The first pairs in the order given, each two people (or each person) once, so that one odd picture is not all."""
    found: list[HardPair] = []
    met: set[frozenset[int]] = set()
    for pair in ordered:
        left, right = int(trial.left[pair]), int(trial.right[pair])
        whom = (left, right) if pictures.people is None else (pictures.people[left], pictures.people[right])
        who = frozenset(int(person) for person in whom)
        if pictures.people is not None and who in met:
            continue
        met.add(who)
        probe = pictures.probes.crops[left]
        seen = probe if resolution == NATIVE else degrade(probe, int(resolution))
        shown = tuple(encode_picture(crop, ".jpg", _JPEG_QUALITY) for crop in (seen, pictures.gallery.crops[right]))
        found.append(
            HardPair(
                float(values[pair]), pictures.probes.keys[left], pictures.gallery.keys[right], (shown[0], shown[1])
            )
        )
        if len(found) == _HARDEST:
            break
    return found
