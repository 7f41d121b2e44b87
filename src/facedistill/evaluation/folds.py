"""Cross-validation of the verification threshold: chosen on the other folds, tested on the held-out one."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedistill.checks import check_count
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.metrics import Bool, Float, Int

UNUSED = -1


def contiguous_folds(same: Bool, folds: int) -> Int:
    """Fold number [P] of each pair: `folds` stretches of (nearly) equal length in the order given, as in LFW.

    With fewer pairs than folds there are as many folds as pairs.

    Raises:
        UsageError: Fewer than two folds.
        FacedistillError: The pairs outside some fold are all of one class, so no threshold can be chosen there.
    """
    _check(folds)
    count = min(folds, len(same))
    lengths = [len(part) for part in np.array_split(same, count)]
    numbers = np.repeat(np.arange(count), lengths)
    if not _trainable(numbers, same):
        raise FacedistillError(
            f"{count} folds of consecutive pairs leave a training part of one class only; "
            "alternate stretches of same and different pairs (LFW: 300 and 300 per fold) or give identities"
        )
    return numbers


def identity_folds(identities: Int, folds: int) -> Int:
    """Fold number [P] of each pair, folds disjoint by identity; `UNUSED` where a pair's sides lie in two folds.

    The identities, in ascending order, are dealt to the folds in turn. There are at most half as many folds as
    identities, so that each fold can hold an impostor pair; the largest number <= `folds` is taken for which every
    fold holds a pair and the other folds together hold pairs of both classes.

    Args:
        identities: int [P, 2], who is on each side.
        folds: The most folds wanted, at least 2.

    Raises:
        UsageError: Fewer than two folds.
        FacedistillError: Not even two folds are possible.
    """
    _check(folds)
    people, index = np.unique(identities, return_inverse=True)
    index = index.reshape(identities.shape)
    same = identities[:, 0] == identities[:, 1]
    for count in range(min(folds, len(people) // 2), 1, -1):
        sides = index % count
        numbers = np.where(sides[:, 0] == sides[:, 1], sides[:, 0], UNUSED)
        filled = np.bincount(numbers[numbers != UNUSED], minlength=count).min() > 0
        if filled and _trainable(numbers, same):
            return numbers.astype(np.int64)
    raise FacedistillError(
        f"{len(people)} identities are too few for two folds disjoint by identity; "
        "give at least four people with two pictures each"
    )


def pair_identities(identities: ArrayLike, same: Bool) -> NDArray[Any]:
    """`identities` as an array [P, 2].

    Raises:
        UsageError: Another shape, or they contradict `same`.
    """
    people = np.asarray(identities)
    if people.shape != (len(same), 2):
        raise UsageError(f"identities must be [{len(same)}, 2], not {people.shape}")
    if not np.array_equal(people[:, 0] == people[:, 1], same):
        raise UsageError("identities and same disagree about which pairs show one person")
    return people


class HeldOut:
    """Pairs sorted once for fold accuracies under many weightings.

    Args:
        scores: Similarities [P].
        same: bool [P].
        folds: int [P] as given by the functions above; `UNUSED` pairs play no part.
        balanced: Weigh the two classes alike, in choosing as in testing: chance is then 0.5 whatever their numbers.

    Attributes:
        order: The used pairs by descending score, as indices into the [P] given.
    """

    def __init__(self, scores: Float, same: Bool, folds: Int, balanced: bool = False) -> None:
        used = np.flatnonzero(folds != UNUSED)
        self.order = used[np.argsort(-scores[used], kind="stable")]
        self._thresholds, group = np.unique(-scores[self.order], return_inverse=True)
        self._thresholds = -self._thresholds
        self._same = same[self.order]
        self._folds = int(folds.max()) + 1
        self._cells = folds[self.order] * len(self._thresholds) + group
        self._balanced = balanced

    def accuracies(self, weight: Float | None = None) -> Float:
        """Accuracy on each held-out fold at the threshold that is best on all others.

        The threshold is the middle between the two neighbouring training scores that it separates; of equally good
        ones the strictest is taken.

        Args:
            weight: How often each pair counts, in the order of `order`; once by default.

        Returns:
            float64, one per fold that can be tested: under weights, a fold that lacks pairs (of a class, when
            balanced), or whose training part lacks a class, is left out.
        """
        weights = np.ones(len(self.order)) if weight is None else weight
        genuine, impostor = self._accepted(self._same, weights), self._accepted(~self._same, weights)
        return np.array(list(self._test_folds(genuine, impostor)), dtype=np.float64)

    def _accepted(self, kind: Bool, weights: Float) -> Float:
        """[folds, 1 + T]: each fold's weight of that kind accepted at no score, the highest, the two highest, ..."""
        shape = self._folds, len(self._thresholds)
        placed = np.bincount(self._cells[kind], weights=weights[kind], minlength=shape[0] * shape[1])
        total = np.zeros((shape[0], shape[1] + 1))
        np.cumsum(placed.reshape(shape), axis=1, out=total[:, 1:])
        return total

    def _test_folds(self, genuine: Float, impostor: Float) -> Iterator[float]:
        train_genuine = genuine.sum(axis=0) - genuine
        train_impostor = impostor.sum(axis=0) - impostor
        for fold in range(self._folds):
            train = train_genuine[fold, -1], train_impostor[fold, -1]
            test = genuine[fold, -1], impostor[fold, -1]
            testable = min(test) > 0 if self._balanced else sum(test) > 0
            if min(train) <= 0 or not testable:
                continue
            # Multiplied out, so that whole-number weights are compared without rounding.
            pay, cost = (train[1], train[0]) if self._balanced else (1.0, 1.0)
            best = int(np.argmax(train_genuine[fold] * pay - train_impostor[fold] * cost))
            count = _accepted_scores(self._thresholds, train_genuine[fold] + train_impostor[fold], best)
            right_genuine, right_impostor = genuine[fold, count], test[1] - impostor[fold, count]
            if self._balanced:
                yield float(right_genuine / test[0] + right_impostor / test[1]) / 2
            else:
                yield float((right_genuine + right_impostor) / sum(test))


def _accepted_scores(scores: Float, train: Float, best: int) -> int:
    """How many of the distinct `scores` (descending) lie above the middle of the gap below the `best` highest.

    `train[i]` is the training weight among the i highest scores; scores of the test fold alone do not raise it,
    so they cannot move the threshold.
    """
    following = int(np.searchsorted(train, train[best], side="right"))
    if best == 0:
        return 0
    if following == len(train):
        return len(scores)
    upper, lower = scores[best - 1], scores[following - 1]
    middle = (upper + lower) / 2
    threshold = middle if middle > lower else upper  # neighbouring floats have nothing between them
    return int(np.searchsorted(-scores, -threshold, side="right"))


def _trainable(numbers: Int, same: Bool) -> bool:
    """Whether the pairs outside each fold are of both classes."""
    count = int(numbers.max()) + 1
    used = numbers != UNUSED
    for kind in (same & used, ~same & used):
        sizes = np.bincount(numbers[kind], minlength=count)
        if (sizes == sizes.sum()).any():
            return False
    return True


def _check(folds: int) -> None:
    check_count("folds (one tests the threshold that the others choose)", folds, 2)
