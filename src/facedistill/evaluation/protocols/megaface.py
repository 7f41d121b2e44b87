"""MegaFace-style search (Kemelmacher-Shlizerman et al. 2016): one photo of a person among ever more distractors.

On disk: a folder that holds `facescrub/` and `megaface/` with the pictures and, in `templatelists` or in itself, the
devkit's lists: `facescrub_features_list.json` with {"path": [...], "id": [...]}, and for N = 10, 100, ..., 1000000 as
far as they go `megaface_features_list.json_N_1` with {"path": [...]}. Pictures of a crop convention's size (112x96,
112x112, 150x150) are taken as aligned; in all others the detector looks for the face.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from facedistill.datasets.megaface import MegafaceSet, read_megaface
from facedistill.errors import FacedistillError
from facedistill.evaluation.embedding import Embed
from facedistill.evaluation.metrics import Bool, Float, Int, paired_cosines
from facedistill.evaluation.protocols.crops import CropReader, at_rows, embed_all, embed_crops
from facedistill.evaluation.protocols.pairs import failure_text, with_failures
from facedistill.evaluation.protocols.protocol import PROTOCOLS
from facedistill.evaluation.results import Result, figure_table, percent, rate_rows
from facedistill.evaluation.streaming import FMRS, VerificationMetric
from facedistill.model_file import NATIVE
from facedistill.progress import track

_KEPT = 20_000_000  # impostor scores that are kept, 160 MB; more are counted in a histogram


@dataclass(frozen=True)
class SearchRates(Result):
    """Searches among distractors.

    Attributes:
        rank1: Number of distractors, such as "10" -> share of the searches that find the person first.
        tar_at_far: FAR, such as "1e-06" -> TAR against the longest list; FARs below one impostor pair's share are left
            out.
        tar_error: FAR -> by how much the exact TAR may be above; 0 where all scores were kept.
    """

    rank1: Mapping[str, float]
    tar_at_far: Mapping[str, float]
    tar_error: Mapping[str, float]


@dataclass(frozen=True)
class MegafaceResult(SearchRates):
    """Searches of native probes, and of degraded ones.

    Attributes:
        distractors: Number of distractors -> those that could be used.
        people: People who are searched.
        probes: Their pictures.
        searches: Ordered pairs of probes of one person.
        failed_probes: Probes without a face that could be read.
        failed_distractors: Distractors likewise.
        fte: The share of both in all pictures.
        failures: {"pictures", "unreadable", "no_face"}.
        sweep: Rows -> the rates with the searched face degraded.
    """

    OPTIONAL = ("sweep",)

    distractors: Mapping[str, int]
    people: int
    probes: int
    searches: int
    failed_probes: int
    failed_distractors: int
    fte: float
    failures: Mapping[str, int]
    sweep: Mapping[str, SearchRates] | None = None

    def tables(self, title: str) -> list[Table]:
        """One table of both parts, and one a resolution."""
        degraded = {f"{title}, probes at {rows} rows": rates for rows, rates in (self.sweep or {}).items()}
        return [self._table(name, rates) for name, rates in ({title: self} | degraded).items()]

    def _table(self, title: str, rates: SearchRates) -> Table:
        rows = [(f"rank 1 among {count}", percent(rate)) for count, rate in rates.rank1.items()]
        rows += rate_rows("TAR at FAR", rates.tar_at_far)
        note = (
            f"{self.searches} searches of {self.probes} probes; {self.failed_probes} probes failed and "
            f"are found nowhere, {self.failed_distractors} distractors failed and are missing from the gallery; "
            f"{failure_text(self.failures)}"
        )
        return figure_table(title, ("", "%"), rows, note)


@PROTOCOLS.register("megaface")
@dataclass(frozen=True)
class Megaface:
    """Rank-1 against each list of distractors, and TAR at FARs against the longest.

    Every ordered pair of a person's probes is one search: the one is looked for in a gallery that holds the other and
    the distractors, and is found when no distractor scores as high. A probe that failed makes its searches and
    genuine pairs fail; a distractor that failed cannot be among the gallery, which `distractors` counts.

    Attributes:
        resolutions: Rows to which the face that is looked for is shrunk besides; the gallery stays native.
        exact: Keep all impostor scores, 8 bytes each, also where they are more than 20 million.
    """

    resolutions: Sequence[int] = ()
    exact: bool = False

    def run(self, embed: Embed, path: Path, size: tuple[int, int]) -> MegafaceResult:
        """See `Protocol.run`; `path` is the set's folder."""
        megaface = read_megaface(path)
        reader = CropReader(size)
        usable, native = _embed_probes(embed, megaface, reader)
        probes = {NATIVE: native} | {
            str(rows): _embed_probes(at_rows(embed, rows), megaface, CropReader(size))[1] for rows in self.resolutions
        }
        kept = self.exact or len(native) * max(megaface.lists) <= _KEPT
        metrics = {name: VerificationMetric(exact=kept) for name in probes}
        best, present = _search(embed, megaface, reader, probes, metrics)
        cells = {
            name: _rates(megaface, usable, rows, native, best[name], metrics[name]) for name, rows in probes.items()
        }
        failed, failed_distractors = int((~usable).sum()), int((~present).sum())
        return MegafaceResult(
            **vars(cells.pop(NATIVE)),
            distractors={str(count): int(present[listed].sum()) for count, listed in megaface.lists.items()},
            people=int(megaface.people.max()) + 1,
            probes=len(usable),
            searches=len(_mated(megaface.people)[0]),
            failed_probes=failed,
            failed_distractors=failed_distractors,
            fte=(failed + failed_distractors) / (len(usable) + len(present)),
            failures=reader.failures,
            sweep=cells or None,
        )


def _rates(
    megaface: MegafaceSet, usable: Bool, probes: Float, mates: Float, best: dict[int, Float], metric: VerificationMetric
) -> SearchRates:
    """Rank-1 and TAR at FARs; `metric` holds the impostor scores, `best` each probe's best distractor."""
    left, right = _mated(megaface.people)
    compared = usable[left] & usable[right]
    place = np.cumsum(usable) - 1
    searched = place[left[compared]]
    scores = paired_cosines(probes[searched], mates[place[right[compared]]])
    metric.update(scores, True)
    figures = metric.compute()
    curve = with_failures(figures.curve, compared, np.ones(len(left), dtype=np.bool_))
    fars = [far for far in FMRS[::-1] if far in figures.tar_at_far]
    return SearchRates(
        rank1={str(count): float(np.sum(scores > top[searched]) / len(left)) for count, top in best.items()},
        tar_at_far={f"{far:g}": curve.tar_at(far) for far in fars},
        tar_error={f"{far:g}": figures.error_bound.tar_at_far[far] for far in fars},
    )


def _embed_probes(embed: Embed, megaface: MegafaceSet, reader: CropReader) -> tuple[Bool, Float]:
    """Which probes can be used, and the unit embeddings of these."""
    crops = (reader.read(probe) for probe in track(megaface.probes, "embedding probes"))
    places, rows = embed_all(embed, crops, "the probes")
    if not len(places):
        raise FacedistillError(f"no face could be read from any probe of {megaface.source}; check the pictures")
    return np.isin(np.arange(len(megaface.probes)), places), rows


def _mated(people: Int) -> tuple[Int, Int]:
    """Every ordered pair of different probes of one person.

    Raises:
        FacedistillError: Nobody has two.
    """
    left, right = np.nonzero((people[:, None] == people) & ~np.eye(len(people), dtype=np.bool_))
    if not len(left):
        raise FacedistillError("no person has two probes, so nobody can be searched; take the devkit's whole list")
    return left, right


def _search(
    embed: Embed,
    megaface: MegafaceSet,
    reader: CropReader,
    probes: dict[str, Float],
    metrics: dict[str, VerificationMetric],
) -> tuple[dict[str, dict[int, Float]], Bool]:
    """By condition each probe's best score among each list's distractors, and which distractors could be embedded.

    The longest list's scores go to `metrics`.
    """
    member = {count: np.isin(np.arange(len(megaface.distractors)), at) for count, at in megaface.lists.items()}
    best = {name: {count: np.full(len(rows), -np.inf) for count in member} for name, rows in probes.items()}
    present = np.zeros(len(megaface.distractors), dtype=np.bool_)
    crops = (reader.read(picture) for picture in track(megaface.distractors, "embedding distractors"))
    for places, rows in embed_crops(embed, crops, "the distractors"):
        present[places] = True
        for name, searched in probes.items():
            scores = np.clip(searched @ rows.T, -1.0, 1.0)
            for count, top in best[name].items():
                inside = scores[:, member[count][places]]
                np.maximum(top, inside.max(axis=1, initial=-np.inf), out=top)
            metrics[name].update(scores[:, member[max(member)][places]].ravel(), False)
    if empty := [count for count, inside in member.items() if not present[inside].any()]:
        raise FacedistillError(
            f"no face could be read from any of the {empty[0]} distractors of {megaface.source}; check the pictures"
        )
    return best, present
