"""The protocols' figures by their definitions: plain loops over Python floats, nothing shared with the package."""

import math
from itertools import pairwise


def unit(vector):
    length = math.sqrt(math.fsum(value * value for value in vector))
    return [value / length for value in vector]


def total(vectors):
    return [math.fsum(values) for values in zip(*vectors, strict=True)]


def mean(vectors):
    return [value / len(vectors) for value in total(vectors)]


def cosine(left, right):
    return math.fsum(a * b for a, b in zip(unit(left), unit(right), strict=True))


def average(values):
    return math.fsum(values) / len(values)


def deviation(values):
    middle = average(values)
    return math.sqrt(math.fsum((value - middle) ** 2 for value in values) / len(values))


def share_at(scores, threshold, out_of=None):
    return sum(score >= threshold for score in scores) / (out_of or len(scores))


def highest_refused(others, rate):
    """The greatest of `others` that as a threshold would let more than `rate` of them pass."""
    ordered = sorted(others, reverse=True)
    return next(score for place, score in enumerate(ordered, start=1) if place / len(others) > rate)


def true_rate(genuine, others, rate, genuine_in_all=None):
    """Share of genuine scores above every threshold that lets too many others pass; None where one is too many."""
    if rate * len(others) < 1 - 1e-9:
        return None
    return sum(score > highest_refused(others, rate) for score in genuine) / (genuine_in_all or len(genuine))


def rates_at(genuine, others, rates, genuine_in_all=None):
    found = {f"{rate:g}": true_rate(genuine, others, rate, genuine_in_all) for rate in rates}
    return {rate: value for rate, value in found.items() if value is not None}


def eer(genuine, others, genuine_in_all=None):
    """Where the line through neighbouring points of the error rates meets FMR = FNMR."""
    last_fmr, last_fnmr = 0.0, 1.0
    for threshold in sorted({*genuine, *others}, reverse=True):
        fmr, fnmr = share_at(others, threshold), 1 - share_at(genuine, threshold, genuine_in_all)
        if fmr >= fnmr:
            before, after = last_fnmr - last_fmr, fmr - fnmr
            return last_fmr + before / (before + after) * (fmr - last_fmr)
        last_fmr, last_fnmr = fmr, fnmr
    raise AssertionError("the lines never meet")


def auc(genuine, others, genuine_in_all=None):
    wins = sum((mine > other) + (mine == other) / 2 for mine in genuine for other in others)
    return wins / ((genuine_in_all or len(genuine)) * len(others))


def best_threshold(scored):
    """Of [(score, same)] the middle of the gap whose sides are best classified, the strictest of equally good ones."""
    values = sorted({score for score, _same in scored}, reverse=True)
    gaps = [math.inf, *((high + low) / 2 for high, low in pairwise(values)), -math.inf]
    right = [sum((score >= gap) == same for score, same in scored) for gap in gaps]
    return gaps[right.index(max(right))]


def pair_figures(pairs, fars=(1e-1, 1e-2, 1e-3, 1e-4)):
    """Figures of [(score or None, same, fold)]; None is a pair that could not be compared."""
    folds = sorted({fold for _score, _same, fold in pairs})
    accuracies, tars = [], {f"{far:g}": ([], []) for far in fars}
    for fold in folds:
        train = [(score, same) for score, same, other in pairs if other != fold and score is not None]
        test = [(score, same) for score, same, other in pairs if other == fold]
        threshold = best_threshold(train)
        accuracies.append(sum(score is not None and (score >= threshold) == same for score, same in test) / len(test))
        others = [score for score, same in train if not same]
        for far in fars:
            if far * len(others) < 1 - 1e-9:
                tars.pop(f"{far:g}", None)
                continue
            bar = highest_refused(others, far)
            mine = [score is not None and score > bar for score, same in test if same]
            theirs = [score > bar for score, same in test if not same and score is not None]
            tars[f"{far:g}"][0].append(sum(mine) / len(mine))
            tars[f"{far:g}"][1].append(sum(theirs) / len(theirs))
    genuine = [score for score, same, _fold in pairs if same and score is not None]
    others = [score for score, same, _fold in pairs if not same and score is not None]
    in_all = sum(same for _score, same, _fold in pairs)
    return {
        "accuracy": average(accuracies),
        "accuracy_std": deviation(accuracies),
        "eer": eer(genuine, others, in_all),
        "auc": auc(genuine, others, in_all),
        "tar_at_far": {
            far: {"mean": average(mine), "std": deviation(mine), "far": average(theirs)}
            for far, (mine, theirs) in tars.items()
        },
        "folds": len(folds),
        "pairs": len(pairs),
        "failed_pairs": sum(score is None for score, _same, _fold in pairs),
        "fte": sum(score is None for score, _same, _fold in pairs) / len(pairs),
    }


def flat(figures, prefix=""):
    """Nested figures as {"a/b": number}, for pytest.approx."""
    found = {}
    for key, value in figures.items():
        found |= flat(value, f"{prefix}{key}/") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found
