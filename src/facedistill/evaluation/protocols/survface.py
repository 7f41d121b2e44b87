"""QMUL-SurvFace (Cheng, Zhu and Gong 2018): native surveillance faces, verified in pairs and searched in a watch list.

On disk: `Face_Verification_Test_Set` and `Face_Identification_Test_Set`, or one of the two (see `datasets.survface`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from facedistill.datasets import PairSet
from facedistill.datasets.survface import IDENTIFICATION, VERIFICATION, read_survface_pairs, read_survface_search
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.embedding import Embed
from facedistill.evaluation.metrics import Bool, Int, Ranking, auc, paired_cosines, supported
from facedistill.evaluation.protocols.native import (
    check_several,
    embed_files,
    embed_list,
    incomplete,
    refuse_resolutions,
    resampled,
    treatment,
)
from facedistill.evaluation.protocols.pairs import evaluate_pairs, with_failures
from facedistill.evaluation.protocols.protocol import PROTOCOLS
from facedistill.evaluation.protocols.templates import TemplateSums
from facedistill.evaluation.results import Result, figure_table, percent, rate_rows
from facedistill.evaluation.search import SearchFigures, SearchMetric
from facedistill.evaluation.trials import FOLDS

FARS = (0.3, 0.1, 0.01, 0.001)
FPIRS = (0.3, 0.2, 0.1)
RANK = 20

_PUBLISHED = {"same pairs": 5320, "different pairs": 5320, "gallery pictures": 60_294, "mated probes": 60_423}
_TEMPLATES = "a person of the gallery is one template, the mean of the person's unit embeddings"


@dataclass(frozen=True)
class SurvfacePairs(Result):
    """Verification of the listed pairs; figures as in `PairFigures`.

    Attributes:
        tar_at_far: FAR, such as "0.3" -> TAR.
        auc: Area under the ROC.
        accuracy: Mean over ten folds.
        accuracy_std: Population standard deviation over them.
        eer: Equal error rate.
        counts: Kind of pair -> number; "pictures".
        failed: The same of those that could not be read.
        fte: Share of the pictures.
    """

    tar_at_far: Mapping[str, float]
    auc: float
    accuracy: float
    accuracy_std: float
    eer: float
    counts: Mapping[str, int]
    failed: Mapping[str, int]
    fte: float


@dataclass(frozen=True)
class SurvfaceSearch(Result):
    """Search of the probes in the watch list.

    Attributes:
        tpir20_at_fpir: FPIR, such as "0.3" -> TPIR20.
        auc: The area under TPIR20 over FPIR.
        rank_k: Rank, "1" or "20" -> share of the mated probes.
        ci: {"rank1": [low, high]}, 95 % over resampled people.
        counts: Role -> pictures; "people".
        failed: Role -> pictures that cannot be read.
        not_enrolled: Mated probes of people who are not in the gallery because none of their pictures can be read.
        fte: Share of the pictures that cannot be read.
    """

    tpir20_at_fpir: Mapping[str, float]
    auc: float
    rank_k: Mapping[str, float]
    ci: Mapping[str, list[float]]
    counts: Mapping[str, int]
    failed: Mapping[str, int]
    not_enrolled: int
    fte: float


@dataclass(frozen=True, kw_only=True)
class SurvfaceResult(Result):
    """Both tests, each where its folder is there.

    Attributes:
        verification: Of the listed pairs.
        identification: Of the probes in the watch list.
        notes: What to know of the figures.
    """

    OPTIONAL = ("verification", "identification")

    verification: SurvfacePairs | None
    identification: SurvfaceSearch | None
    notes: Sequence[str]

    def tables(self, title: str) -> list[Table]:
        """A table for each of the two tests."""
        found = []
        if (pairs := self.verification) is not None:
            accuracy = f"{percent(pairs.accuracy)} \N{PLUS-MINUS SIGN} {percent(pairs.accuracy_std)}"
            rows = [*rate_rows("TAR at FAR", pairs.tar_at_far), ("AUC", percent(pairs.auc))]
            rows += [("mean accuracy", accuracy), ("equal error rate", percent(pairs.eer))]
            rows.append(("pictures failed", percent(pairs.fte)))
            found.append(figure_table(f"{title}, verification", ("", "%"), rows))
        if (search := self.identification) is not None:
            rows = [*rate_rows(f"TPIR{RANK} at FPIR", search.tpir20_at_fpir), ("AUC", percent(search.auc))]
            rows += [*rate_rows("found among the first", search.rank_k), ("pictures failed", percent(search.fte))]
            found.append(figure_table(f"{title}, identification", ("", "%"), rows))
        found[-1].caption = "; ".join(self.notes)
        return found


@PROTOCOLS.register("survface")
@dataclass(frozen=True)
class Survface:
    """Verifies the listed pairs, and searches the probes of both kinds in the watch list.

    Verification: TAR at FAR, AUC, and the mean accuracy over ten folds, each a tenth of the same and of the different
    pairs in the order of their lists, with the threshold that is best on the other nine. A pair with a picture that
    cannot be read counts as in `evaluate_pairs`: a same one is a miss, a different one makes no FAR better.

    Identification: TPIR20 at FPIR, the share of mated searches that have the right person among the 20 best and at
    the threshold that so large a share of the unmated searches reaches (see `evaluation.search`); and the area under
    TPIR20 over FPIR from 0 to 1, ties 1/2. A mated search that fails, or whose person has no gallery picture that can
    be read, is a miss; an unmated one that fails is left out, so that it makes no FPIR better. All are counted.

    Attributes:
        resolutions: Must be empty: these pictures are natively small.
    """

    resolutions: Sequence[int] = ()

    def run(self, embed: Embed, path: Path, size: tuple[int, int]) -> SurvfaceResult:
        """See `Protocol.run`; `path` is SurvFace's folder."""
        refuse_resolutions("survface", self.resolutions)
        here = [folder for folder in (VERIFICATION, IDENTIFICATION) if (path / folder).is_dir()]
        if not here:
            raise UsageError(
                f"{path} holds neither {VERIFICATION} nor {IDENTIFICATION}; name the folder of QMUL-SurvFace"
            )
        pairs = _verify(embed, path, size) if VERIFICATION in here else None
        search = _search(embed, path, size) if IDENTIFICATION in here else None
        counts = {**(pairs.counts if pairs else {}), **(search.counts if search else {})}
        notes = [treatment(size), *([_TEMPLATES] if search else [])]
        notes += incomplete(counts, {what: count for what, count in _PUBLISHED.items() if what in counts})
        if repeated := counts.get("repeated pairs"):
            notes.append(f"{repeated} pairs are listed more than once and count each time, as in the list")
        return SurvfaceResult(verification=pairs, identification=search, notes=notes)


def _verify(embed: Embed, path: Path, size: tuple[int, int]) -> SurvfacePairs:
    pairs = read_survface_pairs(path)
    files = [file for file in pairs.pictures if isinstance(file, Path)]
    places, rows = embed_list(embed, files, size, "the pairs")
    row = np.full(len(files), -1)
    row[places] = np.arange(len(places))
    first, second = row[pairs.first], row[pairs.second]
    compared = (first >= 0) & (second >= 0)
    scores = paired_cosines(rows[first[compared]], rows[second[compared]])
    in_folds = evaluate_pairs(scores, compared, pairs.same, _folds(pairs.same))
    same = pairs.same[compared]
    curve = with_failures(Ranking(scores, same).curve(), compared, pairs.same)
    return SurvfacePairs(
        tar_at_far={f"{far:g}": curve.tar_at(far) for far in supported(FARS, same)},
        auc=in_folds.auc,
        accuracy=in_folds.accuracy,
        accuracy_std=in_folds.accuracy_std,
        eer=in_folds.eer,
        counts={
            "same pairs": int(np.count_nonzero(pairs.same)),
            "different pairs": int(np.count_nonzero(~pairs.same)),
            "repeated pairs": _repeated(pairs),
            "pictures": len(files),
        },
        failed={
            "same pairs": int(np.count_nonzero(~compared & pairs.same)),
            "different pairs": int(np.count_nonzero(~compared & ~pairs.same)),
            "pictures": len(files) - len(places),
        },
        fte=1 - len(places) / len(files),
    )


def _repeated(pairs: PairSet) -> int:
    """How many pairs occur before in the list, in either order."""
    sides = np.sort(np.stack([pairs.first, pairs.second], axis=1), axis=1)
    return len(pairs) - len(np.unique(sides, axis=0))


def _folds(same: Bool) -> Int:
    """Ten stretches of the same pairs and ten of the different ones: fold number [P]; fewer where a class is small."""
    kinds = [np.flatnonzero(kind) for kind in (same, ~same)]
    count = min(FOLDS, *(len(kind) for kind in kinds))
    if count < 2:
        raise FacedistillError(
            "verification needs two same and two different pairs: one chooses the threshold, one tests it"
        )
    folds = np.zeros(len(same), dtype=np.int64)
    for kind in kinds:
        for number, part in enumerate(np.array_split(kind, count)):
            folds[part] = number
    return folds


def _search(embed: Embed, path: Path, size: tuple[int, int]) -> SurvfaceSearch:
    data = read_survface_search(path)
    known, rows = embed_list(embed, data.gallery.files, size, "the gallery")
    check_several(data.gallery.people[known])
    people, who = np.unique(data.gallery.people[known], return_inverse=True)
    sums = TemplateSums(len(people))
    sums.update(who, rows)
    _, templates = sums.means()
    metric = SearchMetric(templates, people, ranks=(RANK,))
    found: list[Int] = []
    unreadable = len(data.mated)
    for places, probes in embed_files(embed, data.mated.files, size, "the mated probes"):
        whom = data.mated.people[places]
        enrolled = np.isin(whom, people)
        metric.update(probes[enrolled], whom[enrolled])
        found.append(places[enrolled])
        unreadable -= len(places)
    searched = np.concatenate(found) if found else np.zeros(0, dtype=np.int64)
    missed = np.setdiff1d(np.arange(len(data.mated)), searched)
    metric.update_failed(mated=len(missed))
    unmated = 0
    for places, probes in embed_files(embed, data.unmated, size, "the unmated probes"):
        metric.update(probes, np.full(len(places), int(people.min()) - 1))
        unmated += len(places)
    if not unmated:
        raise FacedistillError(f"not one of {len(data.unmated)} unmated probes can be read; copy them again")
    figures = metric.compute(FPIRS)
    counts = {
        "gallery pictures": len(data.gallery),
        "mated probes": len(data.mated),
        "unmated probes": len(data.unmated),
    }
    failed = {
        "gallery pictures": len(data.gallery) - len(known),
        "mated probes": unreadable,
        "unmated probes": len(data.unmated) - unmated,
    }
    order = np.concatenate([searched, missed])  # as the metric keeps them
    return SurvfaceSearch(
        tpir20_at_fpir={f"{fpir:g}": rate for fpir, rate in figures.tpir_at_fpir[RANK].items()},
        auc=_area(figures),
        rank_k={str(rank): figures.rank_k(rank) for rank in (1, RANK)},
        ci={"rank1": resampled(figures.mate_ranks == 1, data.mated.people[order])},
        counts={**counts, "people": len(np.unique(data.gallery.people))},
        failed=failed,
        not_enrolled=len(missed) - unreadable,
        fte=sum(failed.values()) / sum(counts.values()),
    )


def _area(figures: SearchFigures) -> float:
    """The area under TPIR20 over FPIR, 0..1: the chance that a mated search is right and outscores an unmated one."""
    right = figures.mate_scores[figures.mate_ranks <= RANK]
    if not len(right):
        return 0.0
    same = np.arange(len(right) + figures.unmated) < len(right)
    return auc(np.concatenate([right, figures.strangers]), same) * len(right) / figures.mated
