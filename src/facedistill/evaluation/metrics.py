"""Verification metrics over similarity scores, exact with ties, optionally weighted.

A pair is called the same person when its similarity is at or above the threshold `t`:
FMR(t) is the share of impostor pairs with similarity >= t, TMR(t) = TAR(t) = 1 - FNMR(t) that of
genuine pairs (ISO/IEC 19795-1). Both are step functions of t; every metric here reads the same curve.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedistill.checks import check_rate
from facedistill.errors import FacedistillError, UsageError

FARS = (1e-1, 1e-2, 1e-3, 1e-4)
_ROWS_AT_ONCE = 4096

Bool = NDArray[np.bool_]
Float = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ErrorCurve:
    """Match rates at every distinct score, from the strictest threshold to the laxest.

    Attributes:
        thresholds: float64 [T], descending.
        tmr: float64 [T], weighted share of genuine pairs at or above each threshold.
        fmr: float64 [T], the same of impostor pairs.
    """

    thresholds: Float
    tmr: Float
    fmr: Float

    def eer(self) -> float:
        """Where the ROC meets FMR = FNMR; the points on both sides of a tied score are joined by a straight line.

        The line is what deciding among tied pairs by a fair coin would give, as does the 1/2 in `auc`.
        Without a tie between a genuine and an impostor score it is the plain crossing of the two steps.
        """
        fmr, fnmr = self._around_eer()
        before, after = fnmr[0] - fmr[0], fmr[1] - fnmr[1]
        along = before / (before + after)
        return float(fmr[0] + along * (fmr[1] - fmr[0]))

    def eer_range(self) -> tuple[float, float]:
        """The least and the greatest `eer` that any order among the pairs of one threshold could give."""
        fmr, fnmr = self._around_eer()
        return float(max(fmr[0], fnmr[1])), float(min(fmr[1], fnmr[0]))

    def _around_eer(self) -> tuple[Float, Float]:
        """FMR [2] and FNMR [2] of the two neighbouring thresholds between which FMR comes to exceed FNMR."""
        fmr = np.concatenate(([0.0], self.fmr))
        fnmr = 1.0 - np.concatenate(([0.0], self.tmr))
        crossed = int(np.argmax(fmr >= fnmr))  # never 0: the curve starts at FMR 0, FNMR 1
        return fmr[crossed - 1 : crossed + 1], fnmr[crossed - 1 : crossed + 1]

    def auc(self) -> float:
        """The chance that a genuine pair outscores an impostor pair, ties counted 1/2 (Mann-Whitney)."""
        tmr = np.concatenate(([0.0], self.tmr))
        return float(np.sum(np.diff(self.fmr, prepend=0.0) * (tmr[1:] + tmr[:-1]) / 2))

    def tar_at(self, far: float) -> float:
        """TAR at the laxest threshold whose FMR is at most `far`; steps are not interpolated."""
        allowed = int(np.searchsorted(self.fmr, far, side="right"))
        return float(self.tmr[allowed - 1]) if allowed else 0.0

    def threshold_at(self, fmr: float) -> float:
        """The least float64 t with FMR(t) <= `fmr`: the number just above the first score that admits too many."""
        allowed = int(np.searchsorted(self.fmr, fmr, side="right"))
        return float(np.nextafter(self.thresholds[allowed], np.inf))


class Ranking:
    """Scores sorted once, so that many weightings of the same pairs (a bootstrap) cost one pass each.

    Args:
        scores: Similarities [P], finite.
        same: bool [P], whether a pair shows the same person.

    Raises:
        UsageError: The shapes do not match.
        FacedistillError: A score is not finite, or all pairs are of one class.
    """

    def __init__(self, scores: ArrayLike, same: ArrayLike) -> None:
        values = np.asarray(scores, dtype=np.float64)
        genuine = np.asarray(same, dtype=bool)
        if values.ndim != 1 or values.shape != genuine.shape:
            raise UsageError(f"scores and same must be [P] and [P], not {values.shape} and {genuine.shape}")
        require_both_classes(genuine)
        if not np.isfinite(values).all():
            raise FacedistillError(f"{int((~np.isfinite(values)).sum())} of {len(values)} scores are NaN or infinite")
        self.order = np.argsort(-values, kind="stable")
        descending = values[self.order]
        self.ends = np.flatnonzero(np.append(descending[1:] != descending[:-1], True))
        self.thresholds = descending[self.ends]
        self.same = genuine[self.order]

    def curve(self, weights: ArrayLike | None = None) -> ErrorCurve:
        """The error curve when pair p counts `weights[p]` times (>= 0; once by default).

        Raises:
            UsageError: A weight is negative or not finite, or their number is not that of the pairs.
            FacedistillError: A class has no weight.
        """
        weight = np.ones(len(self.order)) if weights is None else np.asarray(weights, dtype=np.float64)
        if weight.shape != self.order.shape or not np.isfinite(weight).all() or (weight < 0).any():
            raise UsageError(f"weights must be {len(self.order)} finite numbers >= 0")
        return self.sorted_curve(weight[self.order])

    def sorted_curve(self, weight: Float) -> ErrorCurve:
        """`curve` for weights that already stand in descending order of the scores (see `order`)."""
        genuine = weight * self.same
        matches = np.cumsum(genuine)[self.ends]
        false_matches = np.cumsum(weight - genuine)[self.ends]
        if matches[-1] <= 0 or false_matches[-1] <= 0:
            raise FacedistillError("the weights leave no genuine or no impostor pair")
        return ErrorCurve(self.thresholds, matches / matches[-1], false_matches / false_matches[-1])


def eer(scores: ArrayLike, same: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Equal error rate, 0..1, as `ErrorCurve.eer` defines it; arguments as for `Ranking`."""
    return Ranking(scores, same).curve(weights).eer()


def auc(scores: ArrayLike, same: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Area under the ROC, 0..1, ties 1/2; arguments as for `Ranking`."""
    return Ranking(scores, same).curve(weights).auc()


def tar_at_far(
    scores: ArrayLike, same: ArrayLike, fars: Iterable[float] = FARS, weights: ArrayLike | None = None
) -> dict[float, float]:
    """FAR -> TAR for those of `fars` that the number of impostor pairs supports (FAR >= 1 / impostors)."""
    curve = Ranking(scores, same).curve(weights)
    return {far: curve.tar_at(far) for far in supported(fars, same)}


def threshold_at_fmr(
    scores: ArrayLike, same: ArrayLike, fmrs: Iterable[float] = FARS, weights: ArrayLike | None = None
) -> dict[float, float]:
    """FMR -> the least t with a share of impostors at or above t of at most FMR, for the supported of `fmrs`."""
    curve = Ranking(scores, same).curve(weights)
    return {fmr: curve.threshold_at(fmr) for fmr in supported(fmrs, same)}


def supported(fars: Iterable[float], same: ArrayLike) -> list[float]:
    """Those of `fars` that are at least one impostor pair's share.

    Raises:
        UsageError: A rate is not between 0 and 1.
    """
    return supported_by(fars, int(np.count_nonzero(~np.asarray(same, dtype=bool))))


def supported_by(rates: Iterable[float], trials: int) -> list[float]:
    """Those of `rates` that are at least one of `trials`.

    Raises:
        UsageError: A rate is not between 0 and 1.
    """
    rates = [check_rate("a false accept rate", rate) for rate in rates]
    return [rate for rate in rates if rate * trials >= 1 - 1e-9]  # 1e-3 * 1000 may round below 1


def require_both_classes(same: Bool) -> None:
    """Refuses pairs that are all genuine, all impostor, or none.

    Raises:
        FacedistillError: They are.
    """
    genuine = int(np.count_nonzero(same))
    require_pairs(genuine, len(same) - genuine)


def require_pairs(genuine: int, impostors: int) -> None:
    """`require_both_classes` of pairs that were counted."""
    if genuine == 0 or impostors == 0:
        raise FacedistillError(
            f"verification needs pairs of the same and of different people, but there are {genuine} genuine "
            f"and {impostors} impostor pairs; give it at least two people, one of them twice"
        )


def unit_rows(embeddings: ArrayLike, what: str) -> Float:
    """Embeddings [N, D] as float64 rows of length one.

    Args:
        embeddings: [N, D], finite, no row zero.
        what: Their name in an error message.

    Raises:
        UsageError: Not [N, D] with D >= 1.
        FacedistillError: A row is zero, NaN or infinite: such a row has no direction to compare.
    """
    rows = np.asarray(embeddings, dtype=np.float64)
    return _unit(rows, _largest(rows, what))


def unit_rows32(embeddings: ArrayLike, what: str) -> NDArray[np.float32]:
    """`unit_rows` in float32, for millions of rows: float64 is held of a few thousand at a time.

    Arguments and errors as for `unit_rows`.
    """
    rows = np.asarray(embeddings)
    if rows.dtype.kind != "f":
        rows = rows.astype(np.float64)
    largest = _largest(rows, what)
    unit = np.empty(rows.shape, dtype=np.float32)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        unit[part] = _unit(rows[part].astype(np.float64), largest[part])
    return unit


def _largest(rows: NDArray[np.floating], what: str) -> Float:
    """The largest size of a value in each row [N, 1]; refuses rows that have no direction."""
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise UsageError(f"{what} must be embeddings [N, D], not an array of shape {rows.shape}")
    largest: Float = np.maximum(rows.max(axis=1, keepdims=True), -rows.min(axis=1, keepdims=True)).astype(np.float64)
    if bad := np.flatnonzero(~np.isfinite(largest[:, 0]) | (largest[:, 0] == 0)).tolist():
        raise FacedistillError(f"{len(bad)} rows of {what} are zero, NaN or infinite (first: row {bad[0]})")
    return largest


def _unit(rows: Float, largest: Float) -> Float:
    rows = rows / largest  # keeps the squares of very small or large rows representable
    unit: Float = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def paired_cosines(left: Float, right: Float) -> Float:
    """Cosine [P] of each row of `left` with the same row of `right`, both [P, D] of unit rows."""
    cosines: Float = np.clip(np.einsum("pd,pd->p", left, right), -1.0, 1.0)
    return cosines
