"""From a similarity to the probability of "same person", and how reliable such a probability is.

The map is Platt's logistic, not isotonic regression: two numbers a condition travel in a model file, it is smooth and
strictly rising, so it holds beyond the scores it was fitted on, and a few people are enough for it; an
isotonic map needs thousands of genuine pairs and has steps where the pairs happen to lie. Where genuine and impostor
scores are normal with one variance, the logistic is exact; how far it is off otherwise, the reliability shows.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from facedistill.errors import FacedistillError
from facedistill.evaluation.folds import UNUSED, identity_folds
from facedistill.evaluation.metrics import Bool, Float, Int, require_both_classes
from facedistill.model_file import Logistic

FOLDS = 5
BINS = 10

_MOST_STEPS = 100
_CONVERGED = 1e-10  # of the weighted gradient; the weights sum to 1
_LEAST_CURVATURE = 1e-12


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram at even odds: genuine and impostor pairs weigh one half each in all.

    Attributes:
        ece: Expected calibration error, 0..1: the mean of |observed - predicted| over the bins, by their weight
            (Naeini et al. 2015). It is above 0 even for a perfect probability when people are few.
        bins: One a tenth of the predicted probability, without those that no pair fell into: {"low", "high",
            "predicted" (mean probability), "observed" (share that is the same person), "weight" (they sum to 1),
            "pairs"}.
    """

    ece: float
    bins: list[dict[str, Any]]


def fit_probability(scores: Float, same: Bool) -> Logistic:
    """Fits the probability of "same person" at a prior of 1/2.

    Maximises the likelihood of Platt's smoothed targets, (G + 1) / (G + 2) for G genuine pairs and 1 / (I + 2) for I
    impostor pairs, which keep the slope finite where the classes do not overlap; by Newton's method with step halving
    (Lin, Lin and Weng 2007). The two classes weigh one half each, however many pairs they have. A slope that
    would fall is held at 0: the scores are then of no use, and the probability is that of the prior.

    Args:
        scores: Similarities [P], finite.
        same: bool [P].

    Raises:
        FacedistillError: A score is not finite, or all pairs are of one class.
    """
    require_both_classes(same)
    if not np.isfinite(scores).all():
        raise FacedistillError(f"{int((~np.isfinite(scores)).sum())} of {len(scores)} scores are NaN or infinite")
    genuine = int(np.count_nonzero(same))
    impostors = len(same) - genuine
    targets = np.where(same, (genuine + 1) / (genuine + 2), 1 / (impostors + 2))
    weights = even_weights(same)
    # Centred and scaled, so that the curvature is well conditioned wherever the scores lie.
    middle = float(weights @ scores)
    spread = float(np.sqrt(weights @ (scores - middle) ** 2))
    flat = float(np.log(weights @ targets) - np.log(weights @ (1 - targets)))
    if spread <= 1e-12:
        return Logistic(0.0, flat)
    slope, offset = _newton((scores - middle) / spread, targets, weights, flat)
    return Logistic(slope / spread, offset - slope * middle / spread) if slope > 0 else Logistic(0.0, flat)


def measure_reliability(scores: Float, same: Bool, sides: Int) -> Reliability:
    """The reliability on people whom the probability was not fitted on.

    The identities are parted into up to `FOLDS` groups. The probability is fitted on the pairs among all groups but
    one, and tested on the pairs within that one; the tested pairs of all groups make one diagram.

    Args:
        scores: Similarities [P].
        same: bool [P].
        sides: int [P, 2], who is on each side, as 0..I-1, none without a pair.

    Raises:
        FacedistillError: Fewer than four people, or too few pairs.
    """
    numbers = identity_folds(sides, FOLDS)
    fold_of = np.unique(sides, return_inverse=True)[1].reshape(sides.shape) % (numbers.max() + 1)
    predicted = np.full(len(scores), np.nan)
    for fold in range(int(numbers.max()) + 1):
        others, tested = (fold_of != fold).all(axis=1), numbers == fold
        predicted[tested] = probabilities(fit_probability(scores[others], same[others]), scores[tested])
    tested = numbers != UNUSED
    return reliability(predicted[tested], same[tested])


def reliability(predicted: Float, same: Bool) -> Reliability:
    """The diagram of probabilities [P] in 0..1 against the truth, bool [P].

    Raises:
        FacedistillError: All pairs are of one class.
    """
    require_both_classes(same)
    weights = even_weights(same)
    places = np.minimum((predicted * BINS).astype(np.int64), BINS - 1)
    total, mean, share, pairs = (
        np.bincount(places, weights=values, minlength=BINS)
        for values in (weights, weights * predicted, weights * same, np.ones(len(same)))
    )
    bins = [
        {
            "low": at / BINS,
            "high": (at + 1) / BINS,
            "predicted": float(mean[at] / total[at]),
            "observed": float(share[at] / total[at]),
            "weight": float(total[at]),
            "pairs": int(pairs[at]),
        }
        for at in np.flatnonzero(pairs).tolist()
    ]
    return Reliability(float(np.abs(mean - share).sum()), bins)


def probabilities(logistic: Logistic, scores: Float) -> Float:
    """`logistic` at each of the scores [P]."""
    return 0.5 + 0.5 * np.tanh((logistic.slope * scores + logistic.offset) / 2)


def even_weights(same: Bool) -> Float:
    """float64 [P]: each class sums to 1/2."""
    genuine = int(np.count_nonzero(same))
    return np.where(same, 0.5 / genuine, 0.5 / (len(same) - genuine))


def _newton(x: Float, targets: Float, weights: Float, offset: float) -> tuple[float, float]:
    """Slope and offset at the least weighted cross-entropy, from slope 0."""
    point = np.array([0.0, offset])
    design = np.stack((x, np.ones(len(x))), axis=1)
    loss = _cross_entropy(design @ point, targets, weights)
    for _ in range(_MOST_STEPS):
        predicted = 0.5 + 0.5 * np.tanh(design @ point / 2)
        gradient = design.T @ (weights * (predicted - targets))
        if np.abs(gradient).max() < _CONVERGED:
            break
        curvature = (design.T * (weights * predicted * (1 - predicted))) @ design + _LEAST_CURVATURE * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while (shorter := _cross_entropy(design @ (point - size * step), targets, weights)) > loss and size > 1e-10:
            size /= 2
        point, loss = point - size * step, shorter
    return float(point[0]), float(point[1])


def _cross_entropy(log_odds: Float, targets: Float, weights: Float) -> float:
    return float(weights @ (np.logaddexp(0.0, log_odds) - targets * log_odds))
