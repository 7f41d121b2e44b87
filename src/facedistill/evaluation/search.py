"""Open-set 1:N search: is this person in the gallery, and who?

FPIR(N, T) and FNIR(N, R, T) as ISO/IEC 19795-1 and NIST's FRTE 1:N define them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedistill.checks import check_count, check_number
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.metrics import Float, Int, supported_by, unit_rows32

FPIRS = (0.3, 0.2, 0.1, 0.01)
RANKS = (1, 20)

_SCORES_AT_ONCE = 1 << 24  # 64 MB of float32
_STEPS = np.float32(1 << 20)  # a millionth: equal pictures differ by less, by where they stand in a matrix product


@dataclass(frozen=True, eq=False)
class SearchFigures:
    """The figures of searches in a gallery of N people. All rates are fractions from 0 to 1.

    A failed search (no face, unreadable picture) is among `mate_scores` and `strangers` as -inf: it finds nobody, so
    it counts against FNIR and never as a false positive.

    Attributes:
        identities: N, the number of people in the gallery.
        mate_scores: float64 [M], the score of the right person for each probe whose person is enrolled (mated).
        mate_ranks: int64 [M], that person's rank, 1 = first; everybody with an equal score stands before.
        strangers: float64 [U], the best score in the gallery for each probe whose person is not enrolled.
        tpir_at_fpir: rank R -> FPIR -> TPIR(N, R, T) at the threshold below; a FPIR under 1 / U does not appear.
        threshold_at_fpir: FPIR -> the least T that keeps it.
    """

    identities: int
    mate_scores: Float
    mate_ranks: Int
    strangers: Float
    tpir_at_fpir: dict[int, dict[float, float]]
    threshold_at_fpir: dict[float, float]

    @property
    def mated(self) -> int:
        """Number of mated searches, failed ones included."""
        return len(self.mate_scores)

    @property
    def unmated(self) -> int:
        """Number of searches for people who are not enrolled, failed ones included."""
        return len(self.strangers)

    def rank_k(self, k: int) -> float:
        """Share of the mated probes whose person is among the k best, without a threshold."""
        return float(np.mean(self.mate_ranks <= check_count("k", k)))

    @property
    def cmc(self) -> Float:
        """Cumulative match characteristic: float64 [N], `rank_k` for k = 1, 2, ..."""
        found = np.bincount(self.mate_ranks[self.mate_ranks <= self.identities], minlength=self.identities + 1)[1:]
        return np.cumsum(found) / self.mated

    def fpir(self, threshold: float) -> float:
        """FPIR(N, T): share of unmated searches that return anybody at T or above.

        Raises:
            FacedistillError: There was no unmated search.
        """
        if not self.unmated:
            raise FacedistillError("there is no probe of a person outside the gallery, so there is no FPIR")
        return float(np.mean(self.strangers >= check_number("threshold", threshold)))

    def fnir(self, rank: int, threshold: float) -> float:
        """FNIR(N, R, T): share of mated searches that do not return the right person among the R best at T or above."""
        return 1.0 - self.tpir(rank, threshold)

    def tpir(self, rank: int, threshold: float) -> float:
        """TPIR(N, R, T) = 1 - FNIR(N, R, T)."""
        check_count("rank", rank)
        return float(np.mean((self.mate_ranks <= rank) & (self.mate_scores >= check_number("threshold", threshold))))


class SearchMetric:
    """Searches of probes in one gallery, block by block; kept are a score and a rank per probe.

    An enrolled person's score is the best of their templates. Scores are cosine similarities rounded to 2^-20, and
    ties count against the system: who scores within such a step of the right person is ranked before them.

    Args:
        gallery: Embeddings [G, D] of any length but zero, one or more per person.
        gallery_ids: [G], numbers or names.
        ranks: The R of `tpir_at_fpir`, each at least 1.

    Raises:
        UsageError: Shapes do not match, or a rank is below 1.
        FacedistillError: The gallery is empty, or a row is zero, NaN or infinite.
    """

    def __init__(self, gallery: ArrayLike, gallery_ids: ArrayLike, ranks: Sequence[int] = RANKS) -> None:
        rows, ids = unit_rows32(gallery, "gallery"), np.asarray(gallery_ids)
        if ids.shape != rows.shape[:1]:
            raise UsageError(f"gallery {rows.shape} and its ids {ids.shape} do not fit; they must be [G, D] and [G]")
        if len(rows) == 0:
            raise FacedistillError("the gallery is empty; enrol somebody")
        for rank in ranks:
            check_count("a rank", rank)
        order = np.argsort(ids, kind="stable")
        self._gallery = rows[order]
        self._people, self._starts = np.unique(ids[order], return_index=True)
        self._ranks = tuple(ranks)
        self.reset()

    def reset(self) -> None:
        """Forgets all probes; the gallery stays."""
        self._searches: list[tuple[Float, Int, Float]] = []  # scores and ranks of mates, best scores of strangers

    def update(self, probes: ArrayLike, probe_ids: ArrayLike) -> None:
        """Searches probes. One whose id is in the gallery is mated, any other is not.

        Args:
            probes: Embeddings [P, D] of any length but zero.
            probe_ids: [P], of the kind of the gallery's.

        Raises:
            UsageError: Shapes do not match.
            FacedistillError: A row is zero, NaN or infinite.
        """
        rows, ids = unit_rows32(probes, "probes"), np.asarray(probe_ids)
        if ids.shape != rows.shape[:1] or rows.shape[1] != self._gallery.shape[1]:
            raise UsageError(
                f"probes {rows.shape} with ids {ids.shape} and a gallery {self._gallery.shape} "
                "do not fit; they must be [P, D], [P] and [G, D]"
            )
        mated = np.isin(ids, self._people)
        mates = np.searchsorted(self._people, ids)
        at_once = max(1, _SCORES_AT_ONCE // len(self._gallery))
        for start in range(0, len(rows), at_once):
            part = slice(start, start + at_once)
            scores, known = self._scores(rows[part]), mated[part]
            own = np.take_along_axis(scores[known], mates[part][known, None], axis=1)
            ranks = np.count_nonzero(scores[known] >= own - 1 / _STEPS, axis=1)
            self._searches.append((own[:, 0].astype(np.float64), ranks, scores[~known].max(axis=1).astype(np.float64)))

    def update_failed(self, mated: int = 0, unmated: int = 0) -> None:
        """Adds searches that failed before any score: no face was found, or the picture cannot be read.

        Args:
            mated: How many of them were for an enrolled person; each is a false non-identification.
            unmated: How many were not; none is a false positive.

        Raises:
            UsageError: A number is negative.
        """
        check_count("mated", mated, 0)
        check_count("unmated", unmated, 0)
        ranks = np.full(mated, np.iinfo(np.int64).max)
        self._searches.append((np.full(mated, -np.inf), ranks, np.full(unmated, -np.inf)))

    def merge(self, other: Self) -> None:
        """Adds the searches of another metric of the same gallery (metrics can be pickled).

        Raises:
            UsageError: The gallery is another one.
        """
        if not (np.array_equal(self._people, other._people) and np.array_equal(self._gallery, other._gallery)):
            raise UsageError("searches in different galleries cannot be merged; their rates depend on the gallery")
        self._searches += other._searches

    def compute(self, fpirs: Iterable[float] = FPIRS) -> SearchFigures:
        """The figures of all searches so far.

        Args:
            fpirs: False positive identification rates to report; those below 1 / unmated searches are left out.

        Raises:
            FacedistillError: There is no mated search.
            UsageError: A rate is not between 0 and 1.
        """
        if not any(len(scores) for scores, _, _ in self._searches):
            raise FacedistillError("no probe shows a person of the gallery, so there is nobody to find")
        scores, ranks, strangers = (np.concatenate(parts) for parts in zip(*self._searches, strict=True))
        thresholds = {rate: _threshold(strangers, rate) for rate in supported_by(fpirs, len(strangers))}
        bare = SearchFigures(len(self._people), scores, ranks, strangers, {}, thresholds)
        for rank in self._ranks:
            bare.tpir_at_fpir[rank] = {rate: bare.tpir(rank, threshold) for rate, threshold in thresholds.items()}
        return bare

    def _scores(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """The score of every enrolled person for each row: float32 [P, N]."""
        scores: NDArray[np.float32] = rows @ self._gallery.T
        scores *= _STEPS
        np.rint(scores, out=scores)
        scores /= _STEPS
        np.clip(scores, -1.0, 1.0, out=scores)
        if len(self._people) < len(self._gallery):
            scores = np.maximum.reduceat(scores, self._starts, axis=1)
        return scores


def _threshold(strangers: Float, rate: float) -> float:
    """The least float64 T in [-1, ...] that at most a share `rate` of the scores reaches."""
    falling = -np.sort(-strangers)
    allowed = int(np.searchsorted(np.arange(1, len(falling) + 1) / len(falling), rate, side="right"))
    return max(-1.0, float(np.nextafter(falling[allowed], np.inf)))
