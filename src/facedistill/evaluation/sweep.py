"""The resolution sweep: how recognition falls as pictures shrink from native size to 8 rows."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

import numpy as np
from rich.table import Table
from rich.text import Text

from facedistill.checks import MOST_SIDE, check_count, check_seed
from facedistill.datasets import Face, FaceSet
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.embedding import Crop, Embed, embed_at, embed_photographed
from facedistill.evaluation.identification import identify
from facedistill.evaluation.metrics import Bool, Float, Int, paired_cosines
from facedistill.evaluation.results import Result, as_json, percent_with_interval
from facedistill.evaluation.trials import Cell, all_pairs, check_pictures, draw, intervals, listed_pairs, measure_cell
from facedistill.model_file import NATIVE
from facedistill.pictures import UnreadablePicture

RESOLUTIONS = (30, 20, 16, 12, 8)
BOTH = "both"
MATCHED, GALLERY_NATIVE = "matched", "gallery native"
SIDES = f"{MATCHED}: the other picture is degraded to the same rows; {GALLERY_NATIVE}: it stays as it is"
METRICS = {"accuracy": "accuracy, %", "eer": "equal error rate, %", "rank1": "found first, %"}

T = TypeVar("T")
F = TypeVar("F", bound=Result)


@dataclass(frozen=True)
class Sweep(Result, Generic[F]):
    """Figures by resolution: "native", "30", ...

    Attributes:
        one_side: With the probe degraded (or the second of two pictures).
        both: With both pictures degraded, that is compared at the same resolution: "matched" in tables; under "both" in
            JSON, beside those of `one_side`.
    """

    one_side: Mapping[str, F]
    both: Mapping[str, F]

    @classmethod
    def of(cls, measure: Callable[[Float, Float], F], native: Float, degraded: Mapping[str, Float]) -> Self:
        """Measures (gallery, probes) with embeddings `degraded` by resolution against `native` ones and themselves."""
        return cls(
            {rows: measure(native, probes) for rows, probes in degraded.items()},
            {rows: measure(probes, probes) for rows, probes in degraded.items()},
        )

    def listed(self, one_side: str, both: str) -> Iterator[tuple[str, str, F]]:
        """(`one_side` or `both`, resolution, figures), for a table."""
        for side, cells in ((one_side, self.one_side), (both, self.both)):
            for rows, figures in cells.items():
                yield side, rows, figures

    def to_json(self) -> dict[str, Any]:
        """{"16": ..., "both": {"16": ...}}."""
        return {**as_json(self.one_side), BOTH: as_json(self.both)}


@dataclass(frozen=True)
class SweepResult(Sweep[Cell]):
    """What `sweep` gives; the native cell is the same on both sides."""

    def tables(self, title: str) -> list[Table]:
        """One table: by metric a line per resolution, 95 % intervals in brackets."""
        failed = self.one_side[NATIVE].fte
        caption = f"{SIDES}; failed to enrol: {100 * failed:.1f} %; in brackets: 95 % intervals"
        table = Table(title=title, caption=caption)
        for heading in ("probe degraded to", MATCHED, GALLERY_NATIVE):
            table.add_column(heading, justify="right" if table.columns else "left", no_wrap=True)
        for metric, heading in METRICS.items():
            table.add_section()
            table.add_row(Text(heading, style="bold"))
            for name in resolutions_of(self.both):
                cells = (self.both[name], self.one_side[name])
                rates = (percent_with_interval(getattr(cell, metric), cell.ci.get(metric), digits=1) for cell in cells)
                table.add_row(resolution_title(name), *rates)
        return [table]


@dataclass(frozen=True)
class CameraResult(SweepResult):
    """What `sweep` gives of probes as a camera sees them; the gallery is degraded by `variance.degrade_face` alone."""

    def to_json(self) -> dict[str, Any]:
        """{"camera": {"native": ..., "16": ..., "both": {...}}}; the native cells are those without a camera."""
        return {"camera": super().to_json()}

    def tables(self, title: str) -> list[Table]:
        """As of every sweep, the title naming the camera."""
        return super().tables(f"{title}, probes as a camera sees them")


def resolutions_of(names: Iterable[str]) -> list[str]:
    """The resolutions among the names of a sweep's cells, native first, then falling."""
    return [NATIVE, *sorted((name for name in names if name not in (NATIVE, BOTH)), key=int, reverse=True)]


def resolution_title(name: str) -> str:
    """A resolution's name for people: native, 16 px."""
    return name if name == NATIVE else f"{name} px"


def check_rows(resolutions: object, seed: object = 0) -> None:
    """Refuses resolutions that are no numbers of rows, and what is no seed, before anything is embedded.

    Raises:
        UsageError: One is no whole number from 1 on.
    """
    check_seed("seed", seed)
    if not isinstance(resolutions, Iterable) or isinstance(resolutions, str):
        raise UsageError(f"resolutions must be numbers of rows, such as [24, 12], not {resolutions!r:.40}")
    for rows in resolutions:
        check_count("a resolution", rows, 1, MOST_SIDE)


def sweep(
    embed: Embed,
    faces: FaceSet,
    resolutions: Sequence[int] = RESOLUTIONS,
    failed: int = 0,
    bootstrap: int = 200,
    seed: int = 0,
    camera: bool = False,
) -> SweepResult:
    """Compares every two pictures of a face set, natively and with the probe or both sides degraded.

    Verification takes every ordered pair of different pictures (unordered ones where both sides are in the same
    condition, as the order is then of no effect). Its accuracy weighs genuine and impostor pairs alike, as if there
    were as many of either (LFW's pair list is so made), over up to 10 folds disjoint by identity. rank1 searches
    all other pictures among each identity's first picture.

    The `ci` are 95 % percentile intervals over resampled identities, see `trials.all_pairs`; for rank1 the gallery
    stays whole and only the probes' identities are resampled, since a smaller gallery would be an easier one. The
    same draws serve every resolution and every model with the same people.

    Args:
        embed: uint8 [B, H, W, 3] -> [B, D], of any length but zero.
        faces: Aligned crops of one size, at least four people, two pictures of each.
        resolutions: Rows to which crops are shrunk by `variance.degrade_face` before they are enlarged back.
        failed: Pictures in which no face was found. With those of `faces` that cannot be read, which are left out,
            they make the failure-to-enrol rate `fte`: their share of all pictures.
        bootstrap: Number of resamples; 0 leaves `ci` empty.
        seed: Of the resamples, and of what the camera does.
        camera: Whether the degraded probes are shown as a camera sees them (`camera.photograph`), not by the standard
            degradation. The gallery is degraded by that alone, to the rows of the probe.

    Returns:
        The cells by resolution, native ones among them; a `CameraResult` of the camera's.

    Raises:
        UsageError: Too many pictures, or an argument out of range.
        FacedistillError: Too few people or pictures, or an embedding that is zero or NaN.
    """
    found, people = read_faces(faces)
    check_rows(resolutions)
    fte = _failure_rate(failed, len(people), len(faces) - len(people))
    draws = draw(int(people.max()) + 1, bootstrap, seed)
    ordered, unordered = all_pairs(people, True, draws), all_pairs(people, False, draws)
    crops = [face.image for face in found.values()]
    gallery = embed_at(embed, crops, resolutions)
    probes = gallery
    if camera:
        probes = {NATIVE: gallery[NATIVE], **embed_photographed(embed, crops, resolutions, seed)}

    def cell(probes: Float, gallery: Float) -> Cell:
        trial = unordered if probes is gallery else ordered
        scores = np.clip(probes @ gallery.T, -1.0, 1.0)[trial.left, trial.right]
        return measure_cell(trial, scores, fte, _rank1(probes, gallery, people, draws))

    return _table(cell, probes, gallery, camera)


def sweep_pairs(
    embed: Embed,
    first: Sequence[Crop],
    second: Sequence[Crop],
    same: Bool,
    resolutions: Sequence[int] = RESOLUTIONS,
    failed: int = 0,
    bootstrap: int = 200,
    seed: int = 0,
    camera: bool = False,
) -> SweepResult:
    """The sweep over a list of pairs (LFW's protocol): the second picture of each is the probe.

    As `sweep`, but: the folds are 10 consecutive stretches of the list, accuracy is the plain share of pairs decided
    correctly, `ci` resamples pairs because identities are not known, and rank1 is None for the same reason. `failed`
    counts the pairs that could not be compared. `first` and `second` are read batch by batch, so they may be sequences
    that decode a picture when it is wanted.
    """
    check_rows(resolutions)
    fte = _failure_rate(failed, len(same))
    trial = listed_pairs(same, draw(len(same), bootstrap, seed))
    gallery, probes = embed_at(embed, first, resolutions), embed_at(embed, second, () if camera else resolutions)
    if camera:
        probes |= embed_photographed(embed, second, resolutions, seed)
    return _table(lambda probe, mate: measure_cell(trial, paired_cosines(probe, mate), fte), probes, gallery, camera)


def read_faces(faces: FaceSet, source: str = "the face set") -> tuple[dict[int, Face], Int]:
    """Place -> face of those that can be read, and whom each shows: int64 [N] numbers 0..I-1.

    Raises:
        UsageError: There are too many to compare every two.
        FacedistillError: There is none.
    """
    check_pictures(len(faces))
    found = readable(faces.__getitem__, len(faces), source)
    labels = np.array([face.label for face in found.values()])
    return found, np.unique(labels, return_inverse=True)[1].astype(np.int64)


def readable(read: Callable[[int], T], count: int, source: str) -> dict[int, T]:
    """Number -> what `read` gives for 0..count-1, without those whose picture is damaged; the caller counts them.

    Raises:
        FacedistillError: Nothing is left.
    """
    items = {}
    for index in range(count):
        with suppress(UnreadablePicture):
            items[index] = read(index)
    if not items:
        raise FacedistillError(f"{source} holds no picture that can be read; copy it again from its origin")
    return items


def _failure_rate(failed: int, used: int, damaged: int = 0) -> float:
    check_count("failed", failed, 0)
    return (failed + damaged) / (failed + damaged + used)


def _table(
    cell: Callable[[Float, Float], Cell], probes: Mapping[str, Float], gallery: Mapping[str, Float], camera: bool
) -> SweepResult:
    """Cells with the probes degraded, and with the gallery at the probes' resolution."""
    one_side = {name: cell(rows, gallery[NATIVE]) for name, rows in probes.items()}
    two_sides = {name: one_side[name] if name == NATIVE else cell(rows, gallery[name]) for name, rows in probes.items()}
    return (CameraResult if camera else SweepResult)(one_side, two_sides)


def _rank1(probes: Float, gallery: Float, people: Int, draws: Int) -> tuple[float, dict[str, list[float]]]:
    """Rank-1 rate of all pictures but each identity's first, searched among the first ones, and its interval."""
    firsts = np.unique(people, return_index=True)[1]
    rest = np.setdiff1d(np.arange(len(people)), firsts)
    result = identify(gallery[firsts], people[firsts], probes[rest], people[rest], ranks=(1,))
    searched = np.bincount(people[rest], minlength=len(firsts))
    found = np.bincount(people[rest], weights=result.ranks == 1, minlength=len(firsts))
    totals = draws @ searched
    rates = (draws @ found)[totals > 0] / totals[totals > 0]
    return result.rank_k[1], intervals({"rank1": rates.tolist()})
