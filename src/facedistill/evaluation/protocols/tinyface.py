"""TinyFace (Cheng et al., ACCV 2018): closed-set search of native low-resolution faces among 157,871 pictures.

On disk: `Testing_Set` with `Gallery_Match`, `Gallery_Distractor` and `Probe`, `gallery_match_img_ID_pairs.mat` and
`probe_img_ID_pairs.mat` (see `datasets.tinyface`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from facedistill.datasets.tinyface import TinyFace, read_tinyface
from facedistill.evaluation.embedding import Embed
from facedistill.evaluation.metrics import Float, Int
from facedistill.evaluation.protocols.native import (
    check_several,
    embed_files,
    embed_list,
    incomplete,
    refuse_resolutions,
    resampled,
    treatment,
)
from facedistill.evaluation.protocols.protocol import PROTOCOLS
from facedistill.evaluation.results import Result, figure_table, percent, rate_rows

RANKS = (1, 5, 10, 20, 50)

_PUBLISHED = {"gallery pictures": 4443, "distractors": 153_428, "probes": 3728}
_NEVER = np.iinfo(np.int64).max  # the rank of a mate that could not be embedded
_EQUAL = 1e-12  # similarities that are nearer than this differ by rounding alone
_CLOSED = "every probe's person is in the gallery, so this set can give no open-set figure"


@dataclass(frozen=True, kw_only=True)
class TinyfaceResult(Result):
    """Closed-set search.

    Attributes:
        rank_k: Rank, such as "5" -> share of the probes of which a mate is among so many.
        map: Mean average precision.
        cmc: The same as `rank_k` for ranks 1 to 50.
        ci: {"rank1": [low, high]}, 95 % over resampled people.
        counts: Role -> pictures; "people".
        failed: Role -> pictures that cannot be read.
        fte: Their share.
        open_set: None, as each probe's person is in the gallery.
        notes: What to know of the figures.
    """

    rank_k: Mapping[str, float]
    map: float
    cmc: Sequence[float]
    ci: Mapping[str, list[float]]
    counts: Mapping[str, int]
    failed: Mapping[str, int]
    fte: float
    open_set: None = None
    notes: Sequence[str]

    def tables(self, title: str) -> list[Table]:
        """One table of the search."""
        low, high = self.ci["rank1"]
        rows = [*rate_rows("found among the first", self.rank_k), ("mean average precision", percent(self.map))]
        rows.append(("95 % interval of rank 1", f"{percent(low)} to {percent(high)}"))
        rows += [(f"failed {role}", str(count)) for role, count in self.failed.items()]
        return [figure_table(title, ("", "%"), rows, "; ".join(self.notes))]


@PROTOCOLS.register("tinyface")
@dataclass(frozen=True)
class Tinyface:
    """Searches each probe among the gallery's pictures and the distractors, picture by picture.

    The rank of a mate is its place among all pictures by falling similarity; a picture of somebody else that is
    equally similar stands before it. Rank-k is the share of probes of which any mate is among the k first. A probe's
    average precision is the area under its precision-recall curve by trapezoids, as in the set's own evaluation: with n
    mates at ranks r_1 < r_2 < ..., the mean over j of (j / r_j + (j - 1) / (r_j - 1)) / 2, where the second term is 1
    for r_j = 1.

    A probe that cannot be read is found nowhere (precision 0), nor is a gallery picture that cannot be read; a
    distractor that cannot be read is left out. All are counted.

    Attributes:
        resolutions: Must be empty: these pictures are natively small.
    """

    resolutions: Sequence[int] = ()

    def run(self, embed: Embed, path: Path, size: tuple[int, int]) -> TinyfaceResult:
        """See `Protocol.run`; `path` is TinyFace's folder."""
        refuse_resolutions("tinyface", self.resolutions)
        data = read_tinyface(path)
        known, gallery = embed_list(embed, data.gallery.files, size, "the gallery")
        check_several(data.gallery.people[known])
        usable, probes = embed_list(embed, data.probes.files, size, "the probes")
        gallery_people, people = data.gallery.people[known], data.probes.people[usable]
        mates = _mate_scores(probes, people, gallery, gallery_people)
        scores = probes @ gallery.T
        scores[people[:, None] == gallery_people] = -np.inf
        ahead = _ahead(mates, scores)
        failed = {"gallery pictures": len(data.gallery) - len(known), "probes": len(data.probes) - len(usable)}
        failed["distractors"] = len(data.distractors)
        for _positions, rows in embed_files(embed, data.distractors, size, "the distractors"):
            ahead += _ahead(mates, probes @ rows.T)
            failed["distractors"] -= len(rows)
        places = np.arange(1, mates.shape[1] + 1)
        ranks = np.full((len(data.probes), mates.shape[1]), _NEVER)
        ranks[usable] = np.where(np.isfinite(mates), ahead + places, _NEVER)
        return _result(data, ranks, failed, size)


def _mate_scores(probes: Float, people: Int, gallery: Float, gallery_people: Int) -> Float:
    """[P, most mates]: each probe's similarities to its own person's pictures, falling, then infinities."""
    order = np.argsort(gallery_people, kind="stable")
    first = np.searchsorted(gallery_people[order], people, side="left")
    last = np.searchsorted(gallery_people[order], people, side="right")
    mates = np.full((len(probes), max(1, int((last - first).max()))), np.inf)
    for probe, (start, stop) in enumerate(zip(first, last, strict=True)):
        scores = gallery[order[start:stop]] @ probes[probe]
        mates[probe, : stop - start] = np.sort(scores)[::-1]
    return mates


def _ahead(mates: Float, scores: Float) -> Int:
    """[P, most mates]: how many of somebody else's `scores` [P, N] are at least as large as each mate's."""
    counts = np.zeros(mates.shape, dtype=np.int64)
    for place in range(mates.shape[1]):
        rows = np.flatnonzero(np.isfinite(mates[:, place]))
        counts[rows, place] = np.count_nonzero(scores[rows] >= mates[rows, place, None] - _EQUAL, axis=1)
    return counts


def _result(data: TinyFace, ranks: Int, failed: dict[str, int], size: tuple[int, int]) -> TinyfaceResult:
    counts = {"gallery pictures": len(data.gallery), "distractors": len(data.distractors), "probes": len(data.probes)}
    cmc = [float(np.mean(ranks[:, 0] <= rank)) for rank in range(1, max(RANKS) + 1)]
    return TinyfaceResult(
        rank_k={str(rank): cmc[rank - 1] for rank in RANKS},
        map=float(_average_precision(ranks, data).mean()),
        cmc=cmc,
        ci={"rank1": resampled(ranks[:, 0] == 1, data.probes.people)},
        counts={**counts, "people": len(np.unique(data.probes.people))},
        failed=failed,
        fte=sum(failed.values()) / sum(counts.values()),
        notes=[_CLOSED, treatment(size), *incomplete(counts, _PUBLISHED)],
    )


def _average_precision(ranks: Int, data: TinyFace) -> Float:
    """[P], as `Tinyface` defines it; a mate that was never found adds nothing but is one of the n."""
    found = ranks != _NEVER
    rank = np.where(found, ranks, 1).astype(np.float64)
    place = np.arange(1, ranks.shape[1] + 1)
    before = np.divide(place - 1, rank - 1, out=np.ones_like(rank), where=rank > 1)
    people, listed = np.unique(data.gallery.people, return_counts=True)
    mates = listed[np.searchsorted(people, data.probes.people)]
    areas: Float = ((place / rank + before) / 2 * found).sum(axis=1) / mates
    return areas
