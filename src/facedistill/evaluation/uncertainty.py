"""How far figures would move with other people, and whether one model beats another on the same pairs."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facedistill.checks import check_count
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.folds import HeldOut, contiguous_folds, identity_folds, pair_identities
from facedistill.evaluation.mcnemar import McNemar, mcnemar
from facedistill.evaluation.metrics import Bool, Float, Int, Ranking, supported
from facedistill.evaluation.trials import FOLDS, MOST_RESAMPLES, draw_each, pair_counts, percentiles

Statistic = str | tuple[str, float]
Measure = Callable[[Float], float]

_LEVEL = 0.05


@dataclass(frozen=True)
class Estimate:
    """A figure and its uncertainty.

    Attributes:
        value: Over the pairs as they are, a fraction from 0 to 1.
        interval: 2.5 and 97.5 % percentile over the replicates.
    """

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Comparison:
    """Two models on the same pairs.

    Attributes:
        statistic: What was compared, for people, e.g. "EER".
        a: The statistic of the first model, a fraction from 0 to 1.
        b: That of the second.
        interval: 2.5 and 97.5 % percentile of the difference over the replicates.
        p_value: Two-sided, of no difference.
        lower_is_better: Whether the statistic is an error rate.
        mcnemar: A second opinion, on decisions.
    """

    statistic: str
    a: float
    b: float
    interval: tuple[float, float]
    p_value: float
    lower_is_better: bool
    mcnemar: McNemar

    @property
    def difference(self) -> float:
        """The first model's statistic less the second's."""
        return self.a - self.b

    @property
    def significant(self) -> bool:
        """Whether a difference is shown: p < .05; the interval then leaves out 0."""
        return self.p_value < _LEVEL

    def sentence(self, name_a: str, name_b: str) -> str:
        """What came out, for people: "student beats control: EER 1.2 points lower (95 % 0.4 to 2.1, p = .003)"."""
        low, high = self.interval
        if not self.significant:
            return (
                f"no difference shown: {self.statistic} of {name_a} less that of {name_b} is "
                f"{_points(self.difference)} points (95 % {_points(low)} to {_points(high)}, {_p(self.p_value)})"
            )
        lower = high < 0  # a's than b's
        gain = -self.difference if lower else self.difference
        winner, loser = (name_a, name_b) if lower == self.lower_is_better else (name_b, name_a)
        direction = "lower" if self.lower_is_better else "higher"
        near, far = sorted((abs(low), abs(high)))
        return (
            f"{winner} beats {loser}: {self.statistic} {_points(gain)} points {direction} "
            f"(95 % {_points(near)} to {_points(far)}, {_p(self.p_value)})"
        )


def bootstrap(
    scores: ArrayLike,
    same: ArrayLike,
    identities: ArrayLike | None,
    statistic: Statistic = "eer",
    draws: int = 1000,
    seed: int = 0,
) -> Estimate:
    """A figure with its 95 % interval over resampled people; arguments and errors as for `compare`."""
    pairs = _Pairs.of(same, identities, draws, seed)
    measure = _measure(statistic, scores, pairs)
    values = [value for (value,) in _replicates([measure], pairs)]
    return Estimate(measure(np.ones(len(pairs.same))), _interval(values))


def compare(
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    same: ArrayLike,
    identities: ArrayLike | None,
    statistic: Statistic = "eer",
    draws: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Whether two models differ, by a paired bootstrap: both are measured on the same resampled people.

    A replicate draws whole identities with replacement (as in `trials.all_pairs`); without identities it draws pairs,
    which takes pairs of one person for independent. The p-value is twice the share of replicates in which
    the difference is 0 or has the other sign, one added above and below (Davison and Hinkley 1997, 4.2).

    Args:
        scores_a: Similarities [P] by the first model.
        scores_b: Those of the same pairs by the second.
        same: bool [P].
        identities: [P, 2], numbers or names of who is on each side, or None where they are not known.
        statistic: "eer", "auc", "accuracy" or ("tar", FAR). Accuracy is the mean over up to 10 folds, threshold
            chosen on the others: disjoint by identity and classes weighed alike where identities are known, else
            consecutive and plain, as in LFW's list.
        draws: Number of replicates; below 40 nothing can come out significant.
        seed: Of the replicates.

    Raises:
        UsageError: Shapes do not match, `identities` contradicts `same`, or there is no such statistic.
        FacedistillError: A score is not finite, a class is missing, the FAR is below one impostor pair's share, or
            there are too few people for any replicate.
    """
    pairs = _Pairs.of(same, identities, draws, seed)
    measures = [_measure(statistic, scores, pairs) for scores in (scores_a, scores_b)]
    differences = [a - b for a, b in _replicates(measures, pairs)]
    bounds = _interval(differences)
    against = min(sum(d <= 0 for d in differences), sum(d >= 0 for d in differences))
    once = np.ones(len(pairs.same))
    right = [_right(scores, pairs.same, statistic) for scores in (scores_a, scores_b)]
    return Comparison(
        statistic=_title(statistic),
        a=measures[0](once),
        b=measures[1](once),
        interval=bounds,
        p_value=min(1.0, 2 * (against + 1) / (len(differences) + 1)),
        lower_is_better=statistic == "eer",
        mcnemar=mcnemar(*right),
    )


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Pairs, the folds of their accuracy, and how replicates weigh them."""

    same: Bool
    sides: Int | None  # [P, 2], numbers 0..units-1
    units: int  # what a replicate draws: identities, or else pairs
    draws: int
    seed: int

    @classmethod
    def of(cls, same: ArrayLike, identities: ArrayLike | None, draws: int, seed: int) -> "_Pairs":
        check_count("draws", draws, 1, MOST_RESAMPLES)
        truth = np.asarray(same).astype(bool)
        if truth.ndim != 1:
            raise UsageError(f"same must be [P], not {truth.shape}")
        if identities is None:
            return cls(truth, None, len(truth), draws, seed)
        named = pair_identities(identities, truth)
        people, numbers = np.unique(named, return_inverse=True)
        return cls(truth, numbers.reshape(named.shape).astype(np.int64), len(people), draws, seed)

    def weights(self) -> Iterator[Float]:
        """How often each pair counts, float64 [P], one array per replicate."""
        for drawn in draw_each(self.units, self.draws, self.seed):
            counts = drawn.astype(np.float64)
            yield counts if self.sides is None else pair_counts(counts, self.sides[:, 0], self.sides[:, 1])


def _measure(statistic: Statistic, scores: ArrayLike, pairs: _Pairs) -> Measure:
    """The statistic of one model's scores as a function of how often each pair counts."""
    ranking = Ranking(scores, pairs.same)
    if statistic == "accuracy":
        folds = contiguous_folds(pairs.same, FOLDS) if pairs.sides is None else identity_folds(pairs.sides, FOLDS)
        held_out = HeldOut(np.asarray(scores, dtype=np.float64), pairs.same, folds, pairs.sides is not None)
        return lambda weights: _mean(held_out.accuracies(weights[held_out.order]))
    if statistic in ("eer", "auc"):
        return lambda weights: float(getattr(ranking.sorted_curve(weights[ranking.order]), str(statistic))())
    if isinstance(statistic, str) or len(statistic) != 2 or statistic[0] != "tar":
        raise UsageError(f'there is no statistic {statistic!r}; take "eer", "auc", "accuracy" or ("tar", FAR)')
    far = statistic[1]
    if not supported([far], pairs.same):
        raise FacedistillError(
            f"FAR {far:g} needs {math.ceil(1 / far)} impostor pairs, but there are {np.count_nonzero(~pairs.same)}; "
            "take a larger FAR"
        )
    return lambda weights: ranking.sorted_curve(weights[ranking.order]).tar_at(far)


def _replicates(measures: Sequence[Measure], pairs: _Pairs) -> Iterator[list[float]]:
    """The measures of each replicate, without those that drew no pair of one class (a handful of identities)."""
    for weights in pairs.weights():
        with suppress(FacedistillError):
            yield [measure(weights) for measure in measures]


def _mean(accuracies: Float) -> float:
    if len(accuracies) == 0:
        raise FacedistillError("no fold holds pairs to test the threshold on")
    return float(accuracies.mean())


def _interval(values: list[float]) -> tuple[float, float]:
    if not values:
        raise FacedistillError("no replicate drew pairs of both classes; there are too few people for a bootstrap")
    low, high = percentiles(values)
    return low, high


def _right(scores: ArrayLike, same: Bool, statistic: Statistic) -> Bool:
    """Which pairs a model decides correctly at its threshold: that of the FAR, else where FMR comes to exceed FNMR."""
    values = np.asarray(scores, dtype=np.float64)
    curve = Ranking(values, same).curve()
    if isinstance(statistic, tuple):
        threshold = curve.threshold_at(statistic[1])
    else:
        threshold = float(curve.thresholds[int(np.argmin(np.abs(curve.fmr - (1 - curve.tmr))))])
    right: Bool = (values >= threshold) == same
    return right


def _title(statistic: Statistic) -> str:
    if isinstance(statistic, tuple):
        return f"TAR at FAR {statistic[1]:g}"
    return statistic if statistic == "accuracy" else statistic.upper()


def _points(rate: float) -> str:
    """A difference of rates in per cent points; small ones keep two digits."""
    points = 100 * rate
    return f"{points:.1f}" if abs(points) >= 0.1 or points == 0 else f"{points:.2g}"


def _p(value: float) -> str:
    if value < 0.001:
        return "p < .001"
    return "p = " + f"{value:.{3 if value < 0.1 else 2}f}".lstrip("0")
