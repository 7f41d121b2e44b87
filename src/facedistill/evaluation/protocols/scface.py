"""SCface (Grgic, Delac and Grgic 2011): surveillance pictures from 4.2, 2.6 and 1.0 m searched among mugshots.

On disk: `001_frontal.jpg` and `001_cam1_1.jpg` in any folders (see `datasets.scface`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from facedistill.datasets.scface import CAMERAS, METRES, PEOPLE, SCface, read_scface, split_people
from facedistill.errors import FacedistillError
from facedistill.evaluation.embedding import Embed, embed_at
from facedistill.evaluation.identification import identify
from facedistill.evaluation.metrics import Bool, Float, Int
from facedistill.evaluation.protocols.crops import CropReader
from facedistill.evaluation.protocols.native import check_several, incomplete, resampled
from facedistill.evaluation.protocols.protocol import PROTOCOLS
from facedistill.evaluation.results import Result, figure_table, percent
from facedistill.evaluation.sweep import Sweep
from facedistill.model_file import NATIVE
from facedistill.progress import track

_PUBLISHED = {"mugshots": PEOPLE, "surveillance pictures": PEOPLE * len(CAMERAS) * len(METRES)}
_MISSES = "faces are found by the detector and aligned; a picture without a face is a miss, as are all of a person " + (
    "whose mugshot shows none"
)
_CROSS = "cross-distance: a probe is searched among what the other four cameras took at the gallery's distance"
_ALL = "all"


@dataclass(frozen=True)
class DistanceRates(Result):
    """Searches among the mugshots by distance ("1", "2", "3") and in all ("all").

    Attributes:
        rank1: Distance -> share of all probes, those that failed included, whose own person is more similar than
            anybody else.
        ci: Distance -> its 95 % interval [low, high] over resampled people.
    """

    rank1: Mapping[str, float]
    ci: Mapping[str, list[float]]


@dataclass(frozen=True, kw_only=True)
class ScfaceResult(DistanceRates):
    """Searches among mugshots, and among surveillance pictures of other distances.

    Attributes:
        sweep: The rates with aligned crops degraded: the probes' alone, and both sides'.
        by_camera: Camera -> distance -> rank-1.
        cross_distance: Distance of the gallery -> distance of the probes -> rank-1.
        split: {"rule", "testing", "training"}: the people's numbers.
        counts: Role -> pictures.
        failed: Role or distance -> pictures without a crop.
        fte: Their share.
        failures: {"pictures", "unreadable", "no_face"}.
        notes: What to know of the figures.
    """

    OPTIONAL = ("sweep",)

    sweep: Sweep[DistanceRates] | None
    by_camera: Mapping[str, Mapping[str, float]]
    cross_distance: Mapping[str, Mapping[str, float]]
    split: Mapping[str, Any]
    counts: Mapping[str, int]
    failed: Mapping[str, int]
    fte: Mapping[str, float]
    failures: Mapping[str, int]
    notes: Sequence[str]

    def tables(self, title: str) -> list[Table]:
        """The searches among mugshots, in all and by camera, and among other distances."""
        distances = [*self.rank1]
        columns = ("found first, %", *(f"{METRES[int(d)]} m" if d != _ALL else "all" for d in distances))
        rows = [("all cameras", *(percent(self.rank1[d]) for d in distances))]
        rows.append(("95 % interval", *(" to ".join(percent(end) for end in self.ci[d]) for d in distances)))
        rows += [
            (f"camera {camera}", *(percent(rates.get(d)) for d in distances))
            for camera, rates in self.by_camera.items()
        ]
        for side, height, rates in self.sweep.listed("probe", "both") if self.sweep else ():
            rows.append((f"{side} at {height} px", *(percent(rates.rank1[d]) for d in distances)))
        rows.append(("failed pictures", *(percent(self.fte.get(d)) for d in distances)))
        lost = f"{self.failed['mugshots']} of {self.counts['mugshots']} mugshots failed"
        notes = "; ".join([f"tested on {self.split['rule']}", lost, *self.notes])
        across = [
            (f"gallery at {METRES[int(gallery)]} m", *(percent(rates.get(d)) for d in distances if d != _ALL))
            for gallery, rates in self.cross_distance.items()
        ]
        return [
            figure_table(title, columns, rows),
            figure_table(f"{title}, cross-distance", columns[: len(distances)], across, notes),
        ]


@PROTOCOLS.register("scface")
@dataclass(frozen=True)
class Scface:
    """Searches each surveillance picture among the mugshots, and among surveillance pictures of other distances.

    The cross-distance rates search the probes of a camera among the pictures that the other four cameras took at the
    gallery's distance, so that no picture meets itself or its own scene; a person counts by the most similar picture.
    Pictures of the size of a crop convention are taken as aligned.

    Attributes:
        testing: None takes all people: for nets that never saw any of them. A number (the field takes 50, and trains
            with the other 80) tests with so many people drawn by `seed`; the gallery holds their mugshots alone.
        seed: Of that draw; the people are in the result.
        resolutions: Rows to which aligned crops are shrunk besides.
    """

    testing: int | None = None
    seed: int = 0
    resolutions: Sequence[int] = ()

    def run(self, embed: Embed, path: Path, size: tuple[int, int]) -> ScfaceResult:
        """See `Protocol.run`; `path` is SCface's folder."""
        data = read_scface(path)
        whole = {"mugshots": len(data.mugshots), "surveillance pictures": len(data.photos)}
        training: list[int] = []
        if self.testing is not None:
            training, tested = split_people(list(data.mugshots), self.testing, self.seed)
            data = data.only(set(tested))
        reader = CropReader(size)
        files = [*data.mugshots.values(), *(photo.file for photo in data.photos)]
        crops = [reader.read(file) for file in track(files, "aligning faces")]
        usable = np.array([crop is not None for crop in crops])
        embedded = (
            embed_at(embed, [crop for crop in crops if crop is not None], self.resolutions) if usable.any() else {}
        )
        search = _Search(data, usable)
        native = embedded.get(NATIVE, np.zeros((0, 1)))
        figures = search.by_distance(native, native)
        small = {str(rows): embedded[str(rows)] for rows in self.resolutions}
        people = "all people" if self.testing is None else f"{self.testing} people drawn by seed {self.seed}"
        return ScfaceResult(
            **vars(figures),
            sweep=Sweep.of(search.by_distance, native, small) if small else None,
            by_camera=search.by_camera(native),
            cross_distance=search.cross_distance(native),
            split={"rule": people, "testing": sorted(data.mugshots), "training": training},
            counts={"mugshots": len(data.mugshots), "surveillance pictures": len(data.photos)},
            **search.failures(),
            failures=reader.failures,
            notes=[_MISSES, _CROSS, *incomplete(whole, _PUBLISHED)],
        )


class _Search:
    """Who is found where, among the embeddings of the crops there are: mugshots first, then surveillance pictures."""

    def __init__(self, data: SCface, usable: Bool) -> None:
        enrolled = len(data.mugshots)
        self._row = (np.cumsum(usable) - 1)[enrolled:]  # of a surveillance picture that is usable
        self._mugshots, self._usable = usable[:enrolled], usable[enrolled:]
        self._people = np.array([photo.person for photo in data.photos])
        self._camera = np.array([photo.camera for photo in data.photos])
        distance = np.array([photo.distance for photo in data.photos])
        self._at = {str(d): distance == d for d in METRES}
        self._parts = self._at | {_ALL: np.ones(len(distance), dtype=np.bool_)}
        if not self._mugshots.any():
            raise FacedistillError(f"no face was found in any of {enrolled} mugshots; are they photos of faces?")
        self._mugshot_people = np.array(list(data.mugshots))[self._mugshots]
        check_several(self._mugshot_people)

    def by_distance(self, gallery: Float, probes: Float) -> DistanceRates:
        """Rank-1 among the mugshots and its interval, by distance and in all."""
        hits = self._among_mugshots(probes, gallery)
        return DistanceRates(
            rank1=_rates(hits, self._parts),
            ci={name: resampled(hits[part], self._people[part]) for name, part in self._parts.items() if part.any()},
        )

    def by_camera(self, native: Float) -> dict[str, dict[str, float]]:
        """{camera: {distance: rank-1}}, with "all" distances."""
        hits = self._among_mugshots(native, native)
        taken = {str(camera): self._camera == camera for camera in CAMERAS if (self._camera == camera).any()}
        return {
            camera: _rates(hits, {name: mine & part for name, part in self._parts.items()})
            for camera, mine in taken.items()
        }

    def cross_distance(self, native: Float) -> dict[str, dict[str, float]]:
        """{distance of the gallery: {distance of the probes: rank-1}}."""
        rates = {}
        for gallery, there in self._at.items():
            hits = np.zeros(len(self._people), dtype=np.bool_)
            searchable = np.zeros_like(hits)
            for camera in CAMERAS:
                known = np.flatnonzero(self._usable & there & (self._camera != camera))
                if len(np.unique(self._people[known])) > 1:
                    searchable |= self._camera == camera
                    probes = np.flatnonzero(self._usable & (self._camera == camera))
                    rows = native[self._row[known]], self._people[known]
                    hits[probes] = _found_first(native[self._row[probes]], self._people[probes], *rows)
            if found := _rates(hits, {name: searchable & part for name, part in self._at.items()}):
                rates[gallery] = found
        return rates

    def failures(self) -> dict[str, Any]:
        """Pictures without a crop, and their share, by role."""
        roles = {name: self._usable[part] for name, part in self._at.items()}
        roles |= {"mugshots": self._mugshots, _ALL: self._usable}
        failed = {role: int(np.count_nonzero(~usable)) for role, usable in roles.items()}
        return {"failed": failed, "fte": {role: failed[role] / len(roles[role]) for role in roles if len(roles[role])}}

    def _among_mugshots(self, probes: Float, gallery: Float) -> Bool:
        hits = np.zeros(len(self._people), dtype=np.bool_)
        usable = np.flatnonzero(self._usable)
        known = gallery[: len(self._mugshot_people)], self._mugshot_people
        hits[usable] = _found_first(probes[self._row[usable]], self._people[usable], *known)
        return hits


def _found_first(probes: Float, people: Int, gallery: Float, gallery_people: Int) -> Bool:
    """Whether each probe finds its own person first; somebody equally similar comes before."""
    hits = np.zeros(len(probes), dtype=np.bool_)
    mated = np.flatnonzero(np.isin(people, gallery_people))
    if len(mated):
        hits[mated] = identify(gallery, gallery_people, probes[mated], people[mated]).ranks == 1
    return hits


def _rates(hits: Bool, parts: dict[str, Bool]) -> dict[str, float]:
    """The share of hits in each part that is not empty."""
    return {name: float(hits[part].mean()) for name, part in parts.items() if part.any()}
