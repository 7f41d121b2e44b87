"""Errors by condition and by group of people, all at one threshold: what an average hides."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from facedistill.datasets import FaceSet
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.embedding import Embed, embed_at
from facedistill.evaluation.group_results import RATES, AttributeFigures, GroupFigures, GroupsResult
from facedistill.evaluation.labels import Attribute, Columns, attributes_of, find_labels, read_labels
from facedistill.evaluation.metrics import FARS, Bool, Float, Int, Ranking, supported
from facedistill.evaluation.sweep import RESOLUTIONS, read_faces
from facedistill.evaluation.trials import draw, intervals, picture_pairs
from facedistill.evaluation.uncertainty import bootstrap
from facedistill.model_file import MATCHED_PREFIX, NATIVE
from facedistill.progress import track

LEAST_PEOPLE = 10
LEAST_FALSE_MATCHES = 10  # to be expected among a group's impostor pairs at the global threshold

_DRAWS = 100
_RESOLUTION = "resolution"


def group_figures(
    scores: ArrayLike,
    left: Int,
    right: Int,
    people: Int,
    attributes: Mapping[str, Attribute],
    fmr: float = 1e-3,
    draws: int = _DRAWS,
    seed: int = 0,
) -> GroupsResult:
    """The error rates of every group at one threshold for all.

    The threshold is the one at which a share `fmr` of all impostor pairs matches, or the smallest share of 1e-1, 1e-2
    and 1e-3 above it that there are pairs for. A pair belongs to the group of its probe, `left`. Where the attribute
    is a trait of people, an impostor pair belongs to a group only if both pictures do: strangers of
    other groups are easier to separate, and would flatter every group.

    Args:
        scores: Similarities [P].
        left: int64 [P], the probe picture of each pair. A comparison without a probe is given in both directions.
        right: int64 [P], the other picture.
        people: int64 [N], whom each picture shows.
        attributes: Name -> groups, each for the N pictures.
        fmr: Wanted share of false matches at the threshold.
        draws: Bootstrap resamples of identities behind the intervals; 0 leaves them out.
        seed: Of the resamples.

    Returns:
        The rates. A group has a warning if it has fewer than `LEAST_PEOPLE` people, or if fewer than
        `LEAST_FALSE_MATCHES` false matches are to be expected in it.

    Raises:
        UsageError: Shapes do not fit.
        FacedistillError: A score is not finite, a class is missing, or too few impostor pairs even for an FMR of 0.1.
    """
    values = np.asarray(scores, dtype=np.float64)
    if not values.shape == left.shape == right.shape or any(len(a.member) != len(people) for a in attributes.values()):
        raise UsageError("scores, left and right must be [P] each, and an attribute has a member for each picture")
    pairs = _Pairs(left, right, people)
    rate, threshold = _global_threshold(values, pairs, fmr)
    figures = {}
    for name, attribute in track(attributes.items(), "comparing groups", len(attributes), unit="attributes"):
        cells = {}
        for number, group in enumerate(attribute.groups):
            inside = attribute.member == number
            chosen = inside[left] & (pairs.same | inside[right] if attribute.of_person else True)
            cells[group] = _cell(values, pairs, chosen, inside, threshold, rate, draws, seed)
        unknown = int(np.count_nonzero(attribute.member < 0))
        figures[name] = _compared("within" if attribute.of_person else "probe", unknown, cells)
    return GroupsResult(rate, threshold, len(np.unique(people)), len(people), figures)


def evaluate_groups(
    embed: Embed, faces: FaceSet, folder: Path, labels: str, resolutions: Sequence[int] = RESOLUTIONS
) -> GroupsResult:
    """`evaluate_columns` with the labels of a face set.

    Args:
        embed: uint8 [B, H, W, 3] -> [B, D].
        faces: Aligned crops.
        folder: Where the set lies, for "auto".
        labels: A file, or "auto", see `labels.find_labels` and `labels.read_labels`.
        resolutions: Rows of the degraded probes.

    Raises:
        UsageError, FacedistillError: As for `sweep`, `read_labels` and `group_figures`.
    """
    path = find_labels(labels, folder)
    keys = {face.key: place for place, face in read_faces(faces)[0].items()}
    return evaluate_columns(embed, faces, read_labels(path, keys, faces.labels), resolutions)


def evaluate_columns(
    embed: Embed, faces: FaceSet, columns: Columns, resolutions: Sequence[int] = RESOLUTIONS
) -> GroupsResult:
    """`group_figures` of every two pictures of a face set, and the attribute "resolution" beside its labels.

    Either picture of a native pair is once the probe. The groups of "resolution" are all pairs with the probe degraded
    ("16"), and with both pictures degraded ("matched 16"), at the threshold of native ones: what happens to a system
    that does not know the resolution.

    Args:
        embed: uint8 [B, H, W, 3] -> [B, D].
        faces: Aligned crops.
        columns: Name of a label -> its value for each picture of the set.
        resolutions: Rows of the degraded probes.

    Raises:
        UsageError, FacedistillError: As for `sweep` and `group_figures`.
    """
    found, people = read_faces(faces)
    attributes = attributes_of({name: [values[at] for at in found] for name, values in columns.items()}, people)
    if _RESOLUTION in attributes:
        raise UsageError(f"the labels' column {_RESOLUTION} bears the name of the degraded probes; rename it")
    left, right, _ = picture_pairs(people, ordered=True)
    embeddings = embed_at(embed, [face.image for face in found.values()], resolutions)
    native = embeddings[NATIVE]
    sides = {name: (rows, native) for name, rows in embeddings.items()}
    sides |= {MATCHED_PREFIX + name: (rows, rows) for name, rows in embeddings.items() if name != NATIVE}
    scores = {name: np.clip(probes @ gallery.T, -1.0, 1.0)[left, right] for name, (probes, gallery) in sides.items()}
    result = group_figures(scores[NATIVE], left, right, people, attributes)
    pairs, everything = _Pairs(left, right, people), np.ones(len(left), dtype=bool)
    cells = {
        name: _cell(values, pairs, everything, np.ones(len(people), bool), result.threshold, result.fmr, _DRAWS, 0)
        for name, values in scores.items()
    }
    return replace(result, attributes={_RESOLUTION: _compared("probe", 0, cells), **result.attributes})


class _Pairs:
    """Pairs of pictures and whom they show."""

    def __init__(self, left: Int, right: Int, people: Int) -> None:
        self.left, self.right, self.people = left, right, people
        self.sides = np.stack((people[left], people[right]), axis=1)
        self.same: Bool = self.sides[:, 0] == self.sides[:, 1]

    def different(self, chosen: Bool) -> int:
        """How many of the chosen comparisons there are when a pair and its mirror image are one."""
        seen = np.zeros((len(self.people), len(self.people)), dtype=bool)
        left, right = self.left[chosen], self.right[chosen]
        seen[np.minimum(left, right), np.maximum(left, right)] = True
        return int(np.count_nonzero(seen))


def _global_threshold(scores: Float, pairs: _Pairs, fmr: float) -> tuple[float, float]:
    """The FMR that the pairs support, and its threshold."""
    curve = Ranking(scores, pairs.same).curve()
    impostors = pairs.different(~pairs.same)
    rates = supported([fmr, *(rate for rate in FARS if rate > fmr)], np.zeros(impostors, dtype=bool))
    if not rates:
        raise FacedistillError(f"{impostors} impostor pairs are too few for any threshold; give a set of more people")
    return min(rates), curve.threshold_at(min(rates))


def _cell(
    scores: Float, pairs: _Pairs, chosen: Bool, inside: Bool, threshold: float, fmr: float, draws: int, seed: int
) -> GroupFigures:
    """The figures of the chosen pairs, which belong to the group of the pictures `inside`."""
    values, same, sides = scores[chosen], pairs.same[chosen], pairs.sides[chosen]
    people = len(np.unique(pairs.people[inside]))
    genuine, impostors = pairs.different(chosen & pairs.same), pairs.different(chosen & ~pairs.same)
    warning = _warning(people, genuine, impostors, LEAST_FALSE_MATCHES / fmr)
    wrong = (values >= threshold) != same
    ci = {}
    if not warning and draws:
        eers = bootstrap(values, same, sides, "eer", draws, seed)
        ci = _intervals(wrong, sides, draws, seed) | {"eer": list(eers.interval)}
    return GroupFigures(
        people=people,
        pictures=int(np.count_nonzero(inside)),
        genuine=genuine,
        impostors=impostors,
        fmr=float(np.mean(wrong[~same])) if impostors else None,
        fnmr=float(np.mean(wrong[same])) if genuine else None,
        eer=Ranking(values, same).curve().eer() if genuine and impostors else None,
        ci=ci,
        warning=warning,
    )


def _warning(people: int, genuine: int, impostors: int, least_impostors: float) -> str | None:
    lacking = {
        f"{people} of {LEAST_PEOPLE} people": people < LEAST_PEOPLE,
        f"{impostors} of {least_impostors:.0f} impostor pairs": impostors < least_impostors * (1 - 1e-9),
        "no two pictures of one person": not genuine,
    }
    reasons = [reason for reason, applies in lacking.items() if applies]
    return f"too few to say: {', '.join(reasons)}" if reasons else None


def _intervals(wrong: Bool, sides: Int, draws: int, seed: int) -> dict[str, list[float]]:
    """Intervals of FMR and FNMR at a fixed threshold; people are drawn as in `trials.all_pairs`."""
    numbers = np.unique(sides, return_inverse=True)[1].reshape(sides.shape)
    size = int(numbers.max()) + 1
    cells = numbers[:, 0] * size + numbers[:, 1]
    all_, errors = (
        np.bincount(cells, weights=weights, minlength=size**2).reshape(size, size)
        for weights in (np.ones(len(cells)), wrong.astype(np.float64))
    )
    rates: dict[str, list[float]] = {"fmr": [], "fnmr": []}
    for counts in draw(size, draws, seed).astype(np.float64):
        own, own_errors = counts @ np.diag(all_), counts @ np.diag(errors)
        # A person drawn n times is n people, whose pictures never meet: the diagonal counts n times, not n * n.
        others = counts @ all_ @ counts - counts**2 @ np.diag(all_)
        other_errors = counts @ errors @ counts - counts**2 @ np.diag(errors)
        if own > 0:
            rates["fnmr"].append(float(own_errors / own))
        if others > 0:
            rates["fmr"].append(float(other_errors / others))
    return intervals(rates)


def _compared(rule: str, unknown: int, cells: Mapping[str, GroupFigures]) -> AttributeFigures:
    """An attribute's groups, the worst of them by each rate, and the ratio of the largest FMR to the smallest."""
    sure = {group: cell for group, cell in cells.items() if not cell.warning}
    worst = {
        rate: max(sure, key=lambda group: float(getattr(sure[group], rate))) if len(sure) > 1 else None
        for rate in RATES
    }
    rates = [cell.fmr for cell in sure.values() if cell.fmr is not None]
    ratio = max(rates) / min(rates) if len(rates) > 1 and min(rates) > 0 else None
    return AttributeFigures(rule, unknown, cells, worst, ratio)
