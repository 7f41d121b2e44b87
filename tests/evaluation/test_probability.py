"""The probability of "same person" against a fit by nested bisection, and its reliability against loops."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from facedistill.errors import FacedistillError
from facedistill.evaluation.probability import (
    fit_probability,
    measure_reliability,
    probabilities,
    reliability,
)


def drawn(genuine=60, impostors=400, distance=0.4, seed=0):
    random = np.random.default_rng(seed)
    same = np.arange(genuine + impostors) < genuine
    return random.normal(0.1 + distance * same, 0.15), same


def bisected_fit(scores, same):
    """Slope and offset where both derivatives of the loss vanish, each found by halving an interval."""
    genuine, impostors = int(same.sum()), int((~same).sum())
    target = [(genuine + 1) / (genuine + 2) if real else 1 / (impostors + 2) for real in same]
    weight = [0.5 / genuine if real else 0.5 / impostors for real in same]
    terms = list(zip(scores.tolist(), target, weight, strict=True))

    def excess(slope, offset, power):
        return math.fsum(w * (1 / (1 + math.exp(-slope * s - offset)) - t) * s**power for s, t, w in terms)

    def root(function, low, high):
        for _ in range(70):
            middle = (low + high) / 2
            low, high = (low, middle) if function(middle) > 0 else (middle, high)
        return (low + high) / 2

    def best_offset(slope):
        return root(lambda offset: excess(slope, offset, 0), -100, 100)

    slope = root(lambda slope: excess(slope, best_offset(slope), 1), 0, 200)
    return slope, best_offset(slope)


@pytest.mark.parametrize(
    ("genuine", "impostors", "distance"),
    [
        pytest.param(20, 60, 0.3, id="overlapping"),
        pytest.param(30, 40, 1.5, id="apart: Platt's targets keep it finite"),
        pytest.param(1, 30, 0.3, id="one genuine pair"),
    ],
)
def test_the_fit_is_that_of_nested_bisection(genuine, impostors, distance):
    scores, same = drawn(genuine, impostors, distance, seed=5)
    slope, offset = bisected_fit(scores, same)
    found = fit_probability(scores, same)
    assert found.slope == pytest.approx(slope, rel=1e-6)
    assert found.offset == pytest.approx(offset, rel=1e-6)


def test_two_scores_are_fitted_exactly():
    """With two scores and two numbers to choose, each score gets the weighted mean of its targets."""
    scores = np.array([0.2] * 5 + [0.6] * 7)
    same = np.array([1, 0, 0, 0, 0, 1, 1, 1, 0, 1, 1, 0], dtype=bool)
    high, low, found = 7 / 8, 1 / 8, fit_probability(scores, same)  # six of each
    assert found(0.2) == pytest.approx((1 * high + 4 * low) / 5, abs=1e-9)
    assert found(0.6) == pytest.approx((5 * high + 2 * low) / 7, abs=1e-9)


def test_normal_scores_of_one_variance_give_their_likelihood_ratio():
    """Bayes at even odds: the log-odds are (m1 - m0) / v * (s - (m0 + m1) / 2), here with 30 times more impostors."""
    scores, same = drawn(4000, 120_000)
    found = fit_probability(scores, same)
    assert found.slope == pytest.approx(0.4 / 0.15**2, rel=0.03)
    assert -found.offset / found.slope == pytest.approx(0.3, abs=0.004)
    assert reliability(probabilities(found, scores), same).ece < 0.01


@pytest.mark.parametrize(
    "scores",
    [
        pytest.param([0.9, 0.8, 0.1, 0.2], id="impostors more alike than the same person"),
        pytest.param([0.3] * 4, id="all alike"),
    ],
)
def test_scores_without_information_leave_the_prior(scores):
    found = fit_probability(np.array(scores), np.array([False, False, True, True]))
    assert found.slope == 0
    assert found(-1) == found(1) == pytest.approx(0.5)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-1, 1), st.booleans()), min_size=2, max_size=40), st.floats(-1, 1), st.floats(-1, 1)
)
def test_any_fit_is_monotone_and_a_probability(pairs, one, other):
    scores, same = np.array([s for s, _ in pairs]), np.array([t for _, t in pairs])
    assume(same.any() and not same.all())
    found = fit_probability(scores, same)
    low, high = found(min(one, other)), found(max(one, other))
    assert 0 <= low <= high <= 1
    np.testing.assert_allclose(probabilities(found, np.array([one])), found(one), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=40))
def test_the_diagram_is_that_of_loops(pairs):
    predicted, same = np.array([p for p, _ in pairs]), np.array([t for _, t in pairs])
    assume(same.any() and not same.all())
    found = reliability(predicted, same)
    genuine, error, filled = int(same.sum()), 0.0, []
    for tenth in range(10):
        inside = [(p, t) for p, t in pairs if min(int(p * 10), 9) == tenth]
        if not inside:
            continue
        weights = [0.5 / genuine if t else 0.5 / (len(pairs) - genuine) for _, t in inside]
        mean = sum(w * p for w, (p, _) in zip(weights, inside, strict=True)) / sum(weights)
        share = sum(w for w, (_, t) in zip(weights, inside, strict=True) if t) / sum(weights)
        error += sum(weights) * abs(mean - share)
        filled.append((tenth / 10, mean, share, sum(weights), len(inside)))
    assert found.ece == pytest.approx(error, abs=1e-12)
    assert sum(entry["weight"] for entry in found.bins) == pytest.approx(1)
    for entry, expected in zip(found.bins, filled, strict=True):
        message = [entry[key] for key in ("low", "predicted", "observed", "weight", "pairs")]
        assert message == pytest.approx(expected, abs=1e-12)


def people_pairs(people, each, seed=0):
    random = np.random.default_rng(seed)
    who = np.arange(people).repeat(each)
    left, right = np.nonzero(np.triu(np.ones((len(who),) * 2, bool), 1))
    sides = np.stack((who[left], who[right]), axis=1)
    same = sides[:, 0] == sides[:, 1]
    return random.normal(0.1 + 0.3 * same, 0.15), same, sides


def test_reliability_is_measured_on_people_the_fit_has_not_seen():
    scores, same, sides = people_pairs(11, 3)
    predicted, truth = [], []
    for fold in range(5):
        held = {person for person in range(11) if person % 5 == fold}
        within = [i for i, (a, b) in enumerate(sides) if a in held and b in held]
        without = [i for i, (a, b) in enumerate(sides) if a not in held and b not in held]
        fitted = fit_probability(scores[without], same[without])
        predicted += [fitted(scores[i]) for i in within]
        truth += [same[i] for i in within]
    expected = reliability(np.array(predicted), np.array(truth))
    found = measure_reliability(scores, same, sides)
    assert found.ece == pytest.approx(expected.ece, abs=1e-9)
    assert [entry["pairs"] for entry in found.bins] == [entry["pairs"] for entry in expected.bins]


@pytest.mark.parametrize(
    ("scores", "same", "message"),
    [
        pytest.param([0.1, np.nan], [True, False], "1 of 2 scores are NaN", id="NaN"),
        pytest.param([0.1, 0.2], [True, True], "0 impostor", id="one class"),
        pytest.param([0.1, 0.2], [False, False], "0 genuine", id="the other class"),
    ],
)
def test_refusals(scores, same, message):
    with pytest.raises(FacedistillError, match=message):
        fit_probability(np.array(scores), np.array(same))
