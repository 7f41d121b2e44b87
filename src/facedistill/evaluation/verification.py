"""1:1 verification: are these two pictures the same person?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facedistill.errors import UsageError
from facedistill.evaluation.folds import HeldOut, contiguous_folds, identity_folds, pair_identities
from facedistill.evaluation.metrics import FARS, Ranking, paired_cosines, supported, unit_rows


@dataclass(frozen=True)
class VerificationResult:
    """The figures of a list of pairs. All rates are fractions from 0 to 1.

    Attributes:
        accuracy: Mean over the folds of the share of pairs decided correctly, threshold chosen on the other folds.
        accuracy_std: Standard deviation over the folds (population).
        eer: Equal error rate over all pairs; see `metrics.ErrorCurve.eer` for ties.
        auc: Area under the ROC over all pairs, ties 1/2.
        tar_at_far: FAR -> TAR, for the FARs of 1e-1..1e-4 that are at least 1 / impostors.
        threshold_at_fmr: FMR -> the least similarity t such that the share of impostors >= t is at most FMR.
        genuine: Number of pairs of the same person.
        impostors: Number of pairs of different people.
        folds: Number of folds that were used.
    """

    accuracy: float
    accuracy_std: float
    eer: float
    auc: float
    tar_at_far: dict[float, float]
    threshold_at_fmr: dict[float, float]
    genuine: int
    impostors: int
    folds: int

    @property
    def smallest_far(self) -> float:
        """The smallest FAR that this number of impostor pairs can show: one of them."""
        return 1 / self.impostors


def verify_pairs(
    a: ArrayLike, b: ArrayLike, same: ArrayLike, folds: int = 10, identities: ArrayLike | None = None
) -> VerificationResult:
    """Evaluates pairs of embeddings by their cosine similarity.

    Without `identities` the folds are consecutive stretches of the pairs, as in LFW's list. With them every identity
    belongs to one fold; a pair across folds counts for EER, AUC, TAR and thresholds but not for the accuracy, and
    there are fewer folds when there are fewer than 2 * `folds` identities (see `folds.identity_folds`).

    Args:
        a: Embeddings [P, D] of the first pictures, of any length but zero.
        b: Embeddings [P, D] of the second pictures.
        same: bool [P], whether a pair shows the same person.
        folds: The most folds to use, at least 2.
        identities: int [P, 2], who is on each side, or None.

    Raises:
        UsageError: Shapes do not match, or `identities` contradicts `same`.
        FacedistillError: A row is zero or NaN, a class is missing, or there are too few pairs or identities.
    """
    left, right = unit_rows(a, "a"), unit_rows(b, "b")
    truth = np.asarray(same).astype(bool)
    if left.shape != right.shape or truth.shape != left.shape[:1]:
        raise UsageError(
            f"a, b and same must be [P, D], [P, D] and [P], not {left.shape}, {right.shape}, {truth.shape}"
        )
    scores = paired_cosines(left, right)
    curve = Ranking(scores, truth).curve()
    if identities is None:
        numbers = contiguous_folds(truth, folds)
    else:
        numbers = identity_folds(pair_identities(identities, truth), folds)
    accuracies = HeldOut(scores, truth, numbers).accuracies()
    rates = supported(FARS, truth)
    return VerificationResult(
        accuracy=float(accuracies.mean()),
        accuracy_std=float(accuracies.std()),
        eer=curve.eer(),
        auc=curve.auc(),
        tar_at_far={far: curve.tar_at(far) for far in rates},
        threshold_at_fmr={fmr: curve.threshold_at(fmr) for fmr in rates},
        genuine=int(np.count_nonzero(truth)),
        impostors=int(np.count_nonzero(~truth)),
        folds=int(numbers.max()) + 1,
    )
