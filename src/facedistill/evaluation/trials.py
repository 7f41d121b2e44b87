"""Trials: which pictures are compared, how a bootstrap weighs the comparisons, and the figures of their scores."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from facedistill.checks import check_count, check_seed
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.folds import HeldOut, contiguous_folds, identity_folds
from facedistill.evaluation.metrics import FARS, Bool, Float, Int, Ranking, require_both_classes, supported
from facedistill.evaluation.results import Result

FOLDS = 10
MOST_RESAMPLES = 100_000
MOST_PICTURES = 5000  # every pair of them is compared: 25 million scores, 200 MB


@dataclass(frozen=True)
class Cell(Result):
    """How a model compares pictures under one condition.

    Attributes:
        accuracy: Mean over the folds of the share of pairs decided correctly, threshold chosen on the other folds.
        accuracy_std: Population standard deviation over the folds.
        eer: Equal error rate.
        auc: Area under the ROC, ties 1/2.
        tar_at_far: FAR, such as "0.001" -> TAR.
        ci: Name of a figure -> its 95 % interval [low, high]; empty without a bootstrap.
        rank1: Share of the searches that find the right person first; None where identities are not known.
        fte: Share of the pictures (of the pairs, for a list of pairs) that could not be compared.
    """

    accuracy: float
    accuracy_std: float
    eer: float
    auc: float
    tar_at_far: Mapping[str, float]
    ci: Mapping[str, list[float]]
    rank1: float | None
    fte: float


@dataclass(frozen=True, eq=False)
class Trial:
    """A fixed list of comparisons.

    Attributes:
        left: int64 [P], the probe picture of each pair.
        right: int64 [P], the gallery picture.
        same: bool [P].
        folds: int64 [P], see `folds`.
        units: int64 [P], the entry of a bootstrap table that weighs the pair.
        tables: Yields one weight table per bootstrap replicate, the same ones at every call.
        balanced: Whether accuracy weighs the two classes alike.
    """

    left: Int
    right: Int
    same: Bool
    folds: Int
    units: Int
    tables: Callable[[], Iterator[Float]]
    balanced: bool


def all_pairs(people: Int, ordered: bool, draws: Int) -> Trial:
    """Every pair of different pictures of a face set; folds disjoint by identity.

    A bootstrap replicate draws whole identities with replacement. One drawn n times is n different people with equal
    pictures: its genuine pairs count n times, its impostor pairs with another one drawn m times n * m times, and
    its copies are never compared with each other, so no picture ever meets itself.

    Args:
        people: int64 [N], whom each picture shows, as 0..I-1.
        ordered: Both (i, j) and (j, i), for sides under different conditions; else i < j alone.
        draws: int64 [replicates, I] from `draw`.

    Raises:
        UsageError, FacedistillError: As `picture_pairs`, or too few identities for two folds.
    """
    left, right, same = picture_pairs(people, ordered)
    sides = np.stack((people[left], people[right]), axis=1)
    identities = draws.shape[1]

    everybody = np.arange(identities)

    def tables() -> Iterator[Float]:
        for counts in draws.astype(np.float64):
            yield pair_counts(counts, everybody[:, None], everybody).ravel()

    return Trial(
        left, right, same, identity_folds(sides, FOLDS), sides[:, 0] * identities + sides[:, 1], tables, balanced=True
    )


def check_pictures(count: int) -> None:
    """Refuses so many pictures that every two of them cannot be compared; to be called before they are read.

    Raises:
        UsageError: There are more than `MOST_PICTURES`.
    """
    if count > MOST_PICTURES:
        raise UsageError(
            f"the face set has {count} pictures, and a sweep compares every two of them; "
            f"at most {MOST_PICTURES} are supported: write a smaller set of some of the people"
        )


def picture_pairs(people: Int, ordered: bool) -> tuple[Int, Int, Bool]:
    """Every pair of different pictures: index of the one, index of the other, whether they show the same person.

    Args:
        people: int64 [N].
        ordered: Both (i, j) and (j, i); else i < j alone.

    Raises:
        UsageError: There are more than `MOST_PICTURES` pictures.
        FacedistillError: There is no genuine or no impostor pair.
    """
    check_pictures(len(people))
    allowed = ~np.eye(len(people), dtype=bool) if ordered else np.triu(np.ones((len(people),) * 2, dtype=bool), 1)
    left, right = np.nonzero(allowed)
    same = people[left] == people[right]
    require_both_classes(same)
    return left, right, same


def listed_pairs(same: Bool, draws: Int) -> Trial:
    """Pair p of a list compares picture p of the first side with picture p of the second; folds as in LFW.

    Nothing is known of identities, so a bootstrap replicate draws pairs. Accuracy is the plain share of pairs
    decided correctly, as the field reports it.

    Args:
        same: bool [P].
        draws: int64 [replicates, P] from `draw`.
    """
    require_both_classes(same)
    index = np.arange(len(same))
    folds = contiguous_folds(same, FOLDS)
    return Trial(index, index, same, folds, index, lambda: iter(draws.astype(np.float64)), balanced=False)


def draw(units: int, replicates: int, seed: int) -> Int:
    """How often each of `units` is drawn in each bootstrap replicate, with replacement: int64 [replicates, units].

    Raises:
        UsageError: `replicates` or `seed` is out of range.
    """
    check_count("bootstrap", replicates, 0, MOST_RESAMPLES)
    return np.array(list(draw_each(units, replicates, seed)), dtype=np.int64).reshape(replicates, units)


def draw_each(units: int, replicates: int, seed: int) -> Iterator[Int]:
    """The rows of `draw` one by one, for more units than memory holds `replicates` times."""
    check_seed("seed", seed)
    random, chances = np.random.default_rng(seed), np.full(units, 1 / units)
    for _ in range(replicates):
        yield random.multinomial(units, chances)


def pair_counts(counts: Float, left: Int, right: Int) -> Float:
    """How often pairs count when identity i was drawn `counts[i]` times, see `all_pairs`.

    Args:
        counts: float64 [I].
        left: int64, who is on the one side of each pair.
        right: int64, who is on the other; the shapes are broadcast.
    """
    return np.where(left == right, counts[left], counts[left] * counts[right])


def measure_cell(
    trial: Trial, scores: Float, fte: float, rank1: tuple[float | None, dict[str, list[float]]] = (None, {})
) -> Cell:
    """The figures of a trial.

    Args:
        trial: The comparisons.
        scores: Similarities [P].
        fte: See `Cell`.
        rank1: The rate, and its part of `ci`.
    """
    ranking, held_out = Ranking(scores, trial.same), HeldOut(scores, trial.same, trial.folds, trial.balanced)
    curve, accuracies = ranking.curve(), held_out.accuracies()
    eers, means = [], []
    ranked_units, held_out_units = trial.units[ranking.order], trial.units[held_out.order]
    for table in trial.tables():
        with suppress(FacedistillError):  # a replicate that drew no pair of one class (a handful of identities)
            eers.append(ranking.sorted_curve(table[ranked_units]).eer())
            if len(by_fold := held_out.accuracies(table[held_out_units])):
                means.append(float(by_fold.mean()))
    return Cell(
        accuracy=float(accuracies.mean()),
        accuracy_std=float(accuracies.std()),
        eer=curve.eer(),
        auc=curve.auc(),
        tar_at_far={f"{far:g}": curve.tar_at(far) for far in supported(FARS, trial.same)},
        ci=intervals({"eer": eers, "accuracy": means}) | rank1[1],
        rank1=rank1[0],
        fte=fte,
    )


def intervals(values: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """Name -> [2.5 %, 97.5 % percentile] of the bootstrap values of that name, where there are any."""
    return {name: percentiles(found) for name, found in values.items() if found}


def percentiles(values: Float | list[float]) -> list[float]:
    """The 2.5 and the 97.5 % percentile of bootstrap values, of which there is one at least."""
    bounds: list[float] = np.percentile(values, (2.5, 97.5)).tolist()
    return bounds
