"""Verification metrics of any number of scores, given piece by piece: update, compute, reset, merge."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from facedistill.errors import UsageError
from facedistill.evaluation.histograms import BINS, Scores, check_bins, count_scores, lower_edges
from facedistill.evaluation.metrics import Bool, ErrorCurve, Float, Ranking, require_pairs, supported_by

FMRS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


_Counted = tuple[ErrorCurve, dict[float, float], "ErrorBound", int, int]  # with thresholds, genuine, impostors


@dataclass(frozen=True)
class ErrorBound:
    """How far each figure may be from that of the scores themselves; 0 everywhere when they were kept.

    Attributes:
        eer: |eer - exact eer| is at most this.
        auc: The same of `auc`.
        tar_at_far: FAR -> the same of TAR and FNMR; the exact TAR is never below the one reported.
        threshold: Width of a bin; an exact threshold is never above the one reported.
    """

    eer: float
    auc: float
    tar_at_far: dict[float, float]
    threshold: float


@dataclass(frozen=True, eq=False)
class VerificationFigures:
    """The figures of an embedding's scores. All rates are fractions from 0 to 1.

    Attributes:
        eer: Equal error rate; see `metrics.ErrorCurve.eer` for ties.
        auc: Area under the ROC, ties 1/2.
        tar_at_far: FAR -> TAR, for those of `FMRS` that are at least 1 / impostors; nothing is interpolated.
        threshold_at_fmr: FMR -> the least threshold (of the bins' edges) whose FMR is at most that.
        genuine: Number of pairs of the same person.
        impostors: Number of pairs of different people.
        error_bound: How far the figures may be from exact ones.
        curve: The match rates at all thresholds (at all edges of filled bins, where they are exact).
    """

    eer: float
    auc: float
    tar_at_far: dict[float, float]
    threshold_at_fmr: dict[float, float]
    genuine: int
    impostors: int
    error_bound: ErrorBound
    curve: ErrorCurve

    @property
    def fnmr_at_fmr(self) -> dict[float, float]:
        """FMR -> FNMR at the threshold of `threshold_at_fmr`."""
        return {rate: 1.0 - tar for rate, tar in self.tar_at_far.items()}

    def det(self) -> tuple[Float, Float, Float]:
        """The detection error trade-off: FMR, FNMR and threshold, each float64 [T], from strict to lax.

        Rates hold for "same person when similarity >= threshold"; they are steps, not to be joined by lines.
        """
        return self.curve.fmr, 1.0 - self.curve.tmr, self.curve.thresholds


class VerificationMetric:
    """Genuine and impostor scores, counted in two histograms (1 MB) or kept.

    The histograms have `bins` equal bins over [-1, 1]. FMR and FNMR are exact at the bins' edges; scores of one bin
    are taken as tied, so no order of theirs is made up. What that can change is bounded (`ErrorBound`):

    - a threshold at an FMR is the least edge that keeps it: above the exact one by less than a bin's width;
    - the TAR there is what that edge gives, too low by at most the genuine share of the bin below it;
    - the EER lies in the rectangle of the bin in which FMR and FNMR cross, as the exact one does;
    - the AUC is off by at most half the chance that a genuine and an impostor score fall in one bin.

    Numbers are sums of counts, so neither order nor grouping of the updates, nor `merge`, changes a bit.

    Args:
        exact: Keep all scores (8 bytes or less each, and a byte) and give what `metrics.Ranking` gives.
        bins: A power of two; what an exact metric makes no use of.

    Raises:
        UsageError: `bins` is no power of two, or too many.
    """

    def __init__(self, exact: bool = False, bins: int = BINS) -> None:
        check_bins(bins)
        self.exact = exact
        self.bins = bins
        self.reset()

    def reset(self) -> None:
        """Forgets all scores."""
        self._scores: list[Scores] = []
        self._same: list[Bool] = []
        self._counts = np.zeros((2, 0 if self.exact else self.bins + 1), dtype=np.int64)  # impostor, genuine

    def empty(self) -> Self:
        """A metric of the same settings without scores, to be filled elsewhere and merged."""
        return type(self)(self.exact, self.bins)

    def update(self, scores: ArrayLike, same: ArrayLike) -> None:
        """Adds pairs.

        Args:
            scores: Similarities [P], finite; within [-1, 1] unless exact.
            same: bool [P], whether a pair shows the same person, or one bool for all.

        Raises:
            UsageError: The shapes do not match, or a score is not in [-1, 1].
            FacedistillError: A score is NaN or infinite (an exact metric raises in `compute`).
        """
        values = np.asarray(scores)
        if values.dtype != np.float32:
            values = values.astype(np.float64)
        genuine = np.asarray(same).astype(bool)
        if values.ndim != 1 or genuine.shape not in ((), values.shape):
            raise UsageError(f"scores and same must be [P] and [P] or one bool, not {values.shape} and {genuine.shape}")
        if self.exact:
            self._scores.append(values.copy())  # the caller may fill the same array again
            self._same.append(np.broadcast_to(genuine, values.shape))
        elif genuine.ndim == 0:
            self._counts[int(genuine)] += count_scores(values, self.bins)
        else:
            matches = count_scores(values[genuine], self.bins)
            others = count_scores(values[~genuine], self.bins)
            self._counts += np.stack((others, matches))

    def merge(self, other: "VerificationMetric") -> None:
        """Adds the pairs of another metric, which may come from another process (metrics can be pickled).

        Raises:
            UsageError: The two are of different settings.
        """
        if (self.exact, self.bins) != (other.exact, other.bins):
            raise UsageError("metrics of different settings cannot be merged; make both with the same exact and bins")
        self._scores += other._scores
        self._same += other._same
        self._counts = self._counts + other._counts

    def compute(self, fmrs: Iterable[float] = FMRS) -> VerificationFigures:
        """The figures of all pairs so far.

        Args:
            fmrs: False match rates to report; those below 1 / impostors are left out.

        Raises:
            FacedistillError: There is no genuine or no impostor pair, or a score is not finite.
            UsageError: A rate is not between 0 and 1.
        """
        curve, thresholds, bound, genuine, impostors = (self._exact if self.exact else self._counted)(fmrs)
        return VerificationFigures(
            eer=curve.eer(),
            auc=curve.auc(),
            tar_at_far={rate: curve.tar_at(rate) for rate in thresholds},
            threshold_at_fmr=thresholds,
            genuine=genuine,
            impostors=impostors,
            error_bound=bound,
            curve=curve,
        )

    def _exact(self, fmrs: Iterable[float]) -> _Counted:
        same = np.concatenate([np.zeros(0, dtype=bool), *self._same])
        curve = Ranking(np.concatenate([np.zeros(0, dtype=np.float32), *self._scores]), same).curve()
        genuine = int(np.count_nonzero(same))
        thresholds = {rate: curve.threshold_at(rate) for rate in supported_by(fmrs, len(same) - genuine)}
        bound = ErrorBound(0.0, 0.0, dict.fromkeys(thresholds, 0.0), 0.0)
        return curve, thresholds, bound, genuine, len(same) - genuine

    def _counted(self, fmrs: Iterable[float]) -> _Counted:
        impostors, genuine = self._counts.sum(axis=1).tolist()
        require_pairs(genuine, impostors)
        filled = np.flatnonzero(self._counts.sum(axis=0))[::-1]
        other_share, same_share = self._counts[:, filled]
        tmr, fmr = np.cumsum(same_share) / genuine, np.cumsum(other_share) / impostors
        edges = np.append(lower_edges(self.bins), np.nextafter(1.0, 2.0))
        curve = ErrorCurve(edges[filled], tmr, fmr)
        # The first filled bin that would admit too many: the edge above it is the least that does not.
        first_refused = {rate: int(np.searchsorted(fmr, rate, side="right")) for rate in supported_by(fmrs, impostors)}
        low, high = curve.eer_range()
        bound = ErrorBound(
            eer=max(high - curve.eer(), curve.eer() - low),
            auc=float(np.sum((other_share / impostors) * (same_share / genuine))) / 2,
            tar_at_far={rate: float(same_share[place]) / genuine for rate, place in first_refused.items()},
            threshold=2 / self.bins,
        )
        thresholds = {rate: float(edges[filled[place] + 1]) for rate, place in first_refused.items()}
        return curve, thresholds, bound, genuine, impostors
