"""What the protocols of listed pairs in folds share (LFW, YouTube Faces): thresholds from other folds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from rich.table import Table

from facedistill.errors import FacedistillError
from facedistill.evaluation.failures import generalised_fnmr
from facedistill.evaluation.folds import UNUSED, HeldOut
from facedistill.evaluation.metrics import FARS, Bool, ErrorCurve, Float, Int, Ranking, require_both_classes, supported
from facedistill.evaluation.results import Result, figure_table, percent


@dataclass(frozen=True, kw_only=True)
class PairFigures(Result):
    """Verification of listed pairs in folds.

    Attributes:
        accuracy: Mean over the folds, each with the threshold that is best on the other folds.
        accuracy_std: Population standard deviation over the folds.
        eer: Over all pairs.
        auc: Over all pairs.
        tar_at_far: FAR, such as "0.001" -> {"mean", "std", "far"}: TAR of a fold at the least threshold that keeps the
            FAR on the other folds, and the mean FAR at these thresholds.
        folds: Number of folds.
        pairs: Number of pairs.
        failed_pairs: How many could not be compared.
        fte: Their share.
    """

    accuracy: float
    accuracy_std: float
    eer: float
    auc: float
    tar_at_far: Mapping[str, Mapping[str, float]]
    folds: int
    pairs: int
    failed_pairs: int
    fte: float


def evaluate_pairs(scores: Float, compared: Bool, same: Bool, folds: Int) -> PairFigures:
    """The figures of a list of pairs.

    A pair that could not be compared never makes a figure better: it counts as an error in the accuracy of its fold, a
    genuine one as no match in EER, AUC and TAR, and an impostor one is left out of the FAR, where rejecting it would be
    a merit.

    Args:
        scores: Similarities [C] of the pairs that could be compared, in the list's order.
        compared: bool [P], which these are.
        same: bool [P].
        folds: int64 [P], each 0..F-1.

    Raises:
        FacedistillError: There is only one class, a fold without a pair of each that could be compared, or too few.
    """
    require_both_classes(same)
    used = np.flatnonzero(compared)
    count = int(folds.max()) + 1
    for kind, name in ((same, "one person"), (~same, "different people")):
        if lacking := np.flatnonzero(np.bincount(folds[compared & kind], minlength=count) == 0).tolist():
            raise FacedistillError(
                f"fold {lacking[0] + 1} of {count} holds no pair of {name} that could be compared, so it has no "
                "accuracy; mend the list or the pictures"
            )
    every = np.full(len(same), -1.0)
    every[used] = scores
    over_compared = HeldOut(every, same, np.where(compared, folds, UNUSED)).accuracies()
    shares = np.bincount(folds[used], minlength=count) / np.bincount(folds, minlength=count)
    accuracies = over_compared * shares
    curve = with_failures(Ranking(scores, same[used]).curve(), compared, same)
    return PairFigures(
        accuracy=float(accuracies.mean()),
        accuracy_std=float(accuracies.std()),
        eer=curve.eer(),
        auc=curve.auc(),
        tar_at_far=dict(_tar_at_far(every, compared, same, folds)),
        folds=count,
        pairs=len(same),
        failed_pairs=int((~compared).sum()),
        fte=float(np.mean(~compared)),
    )


def with_failures(curve: ErrorCurve, compared: Bool, same: Bool) -> ErrorCurve:
    """The curve of the compared pairs, its TMR lowered by the genuine pairs that could not be compared."""
    failed = float(np.mean(~compared[same]))
    return replace(curve, tmr=1.0 - generalised_fnmr(1.0 - curve.tmr, failed))


def _tar_at_far(scores: Float, compared: Bool, same: Bool, folds: Int) -> Iterator[tuple[str, dict[str, float]]]:
    """TAR of each fold at thresholds of the others, for the FARs that the others' impostors support."""
    count = int(folds.max()) + 1
    others = [compared & (folds != fold) for fold in range(count)]
    curves = [Ranking(scores[other], same[other]).curve() for other in others]
    fewest = min((same[other] for other in others), key=lambda kinds: int(np.count_nonzero(~kinds)))
    for far in supported(FARS, fewest):
        tars, fars = [], []
        for fold, curve in enumerate(curves):
            accepted = compared & (scores >= curve.threshold_at(far))
            tars.append(float(np.mean(accepted[same & (folds == fold)])))
            fars.append(float(np.mean(accepted[compared & ~same & (folds == fold)])))
        yield f"{far:g}", {"mean": float(np.mean(tars)), "std": float(np.std(tars)), "far": float(np.mean(fars))}


def pair_table(title: str, figures: PairFigures, failures: Mapping[str, int]) -> Table:
    """The table of listed pairs, with the failures of a `CropReader`."""
    rows = [
        ("accuracy", percent(figures.accuracy), percent(figures.accuracy_std)),
        ("EER", percent(figures.eer), ""),
        ("AUC", percent(figures.auc), ""),
    ]
    rows += [
        (f"TAR at FAR {far}", percent(cell["mean"]), percent(cell["std"])) for far, cell in figures.tar_at_far.items()
    ]
    return figure_table(
        title,
        ("", "%", f"+- over {figures.folds} folds"),
        rows,
        f"{figures.failed_pairs} of {figures.pairs} pairs could not be compared and count as errors; "
        f"{failure_text(failures)}",
    )


def failure_text(failures: Mapping[str, int]) -> str:
    """The failures of a `CropReader` in words."""
    return (
        f"of {failures['pictures']} pictures {failures['unreadable']} could not be read, "
        f"{failures['no_face']} showed no face that was found"
    )
