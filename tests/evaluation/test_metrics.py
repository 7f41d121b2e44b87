"""The metrics against slow definitions that compare every pair with every threshold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.metrics import Ranking, auc, eer, tar_at_far, threshold_at_fmr, unit_rows


@st.composite
def tied_pairs(draw):
    """Scores of few distinct values, so that genuine and impostor scores tie often, with whole-number weights."""
    count = draw(st.integers(2, 40))
    steps = draw(st.integers(1, 12))
    scores = draw(st.lists(st.integers(-steps, steps), min_size=count, max_size=count))
    same = draw(st.lists(st.booleans(), min_size=count, max_size=count).filter(lambda s: len(set(s)) == 2))
    weights = draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
    return np.array(scores) / steps, np.array(same), np.array(weights)


def slow_auc(scores, same):
    wins = [1.0 if g > i else 0.5 if g == i else 0.0 for g in scores[same] for i in scores[~same]]
    return float(np.mean(wins))


def slow_rates(scores, same, threshold):
    return np.mean(scores[~same] >= threshold), np.mean(scores[same] < threshold)


def slow_eer(scores, same):
    """Where the polyline through the operating points of all thresholds crosses FMR = FNMR, by bisection."""
    thresholds = [np.inf, *np.unique(scores)[::-1]]
    fmr, fnmr = np.array([slow_rates(scores, same, t) for t in thresholds]).T
    low, high = 0.0, len(thresholds) - 1.0
    at = np.arange(len(thresholds))
    for _ in range(100):
        middle = (low + high) / 2
        if np.interp(middle, at, fmr) < np.interp(middle, at, fnmr):
            low = middle
        else:
            high = middle
    return np.interp(high, at, fmr)


@given(tied_pairs())
@settings(max_examples=150, deadline=None)
def test_eer_and_auc_are_those_of_the_definition(case):
    scores, same, _ = case
    assert eer(scores, same) == pytest.approx(slow_eer(scores, same), abs=1e-9)
    assert auc(scores, same) == pytest.approx(slow_auc(scores, same), abs=1e-12)


@given(tied_pairs())
@settings(max_examples=100, deadline=None)
def test_a_weight_of_n_is_n_copies_of_the_pair(case):
    scores, same, weights = case
    repeated, truth = np.repeat(scores, weights), np.repeat(same, weights)
    if len(set(truth)) < 2:
        with pytest.raises(FacedistillError, match="no genuine or no impostor"):
            eer(scores, same, weights)
        return
    assert eer(scores, same, weights) == pytest.approx(eer(repeated, truth), abs=1e-12)
    assert auc(scores, same, weights) == pytest.approx(auc(repeated, truth), abs=1e-12)
    fars = [0.5, 0.25, 0.1]
    mine, copies = tar_at_far(scores, same, fars, weights), tar_at_far(repeated, truth, fars)
    common = mine.keys() & copies.keys()
    assert {far: mine[far] for far in common} == {far: copies[far] for far in common}


@given(tied_pairs(), st.sampled_from([0.5, 0.3, 0.1]))
@settings(max_examples=150, deadline=None)
def test_threshold_is_the_least_number_that_keeps_the_fmr(case, fmr):
    scores, same, _ = case
    thresholds = threshold_at_fmr(scores, same, [fmr])
    if fmr * np.count_nonzero(~same) < 1:
        assert thresholds == {}
        return
    t = thresholds[fmr]
    assert slow_rates(scores, same, t)[0] <= fmr
    assert slow_rates(scores, same, np.nextafter(t, -np.inf))[0] > fmr
    assert tar_at_far(scores, same, [fmr])[fmr] == np.mean(scores[same] >= t)


@given(tied_pairs())
@settings(max_examples=50, deadline=None)
def test_only_the_order_of_the_scores_matters(case):
    scores, same, _ = case
    shuffle = np.random.default_rng(0).permutation(len(scores))
    assert eer(np.exp(3 * scores), same) == pytest.approx(eer(scores, same), abs=1e-12)
    assert auc(scores[shuffle], same[shuffle]) == pytest.approx(auc(scores, same), abs=1e-12)
    assert eer(-scores, ~same) == pytest.approx(eer(scores, same), abs=1e-12)  # false match <-> false non-match


@pytest.mark.parametrize(
    ("scores", "same", "expected_eer", "expected_auc"),
    [
        pytest.param([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], 0.0, 1.0, id="classes apart"),
        pytest.param([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0], 1.0, 0.0, id="all wrong"),
        pytest.param([0.5, 0.5, 0.5, 0.5], [1, 1, 0, 0], 0.5, 0.5, id="one score for all is a coin"),
        pytest.param([0.9, 0.4, 0.6, 0.1], [1, 1, 0, 0], 0.5, 0.75, id="one of two on the wrong side"),
        pytest.param([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0], 0.25, 0.875, id="a tied middle is decided by a coin"),
    ],
)
def test_known_cases(scores, same, expected_eer, expected_auc):
    assert eer(scores, same) == pytest.approx(expected_eer, abs=1e-12)
    assert auc(scores, same) == pytest.approx(expected_auc, abs=1e-12)


@pytest.mark.parametrize(
    ("impostors", "expected"),
    [
        pytest.param(9, [], id="nine cannot show one in ten"),
        pytest.param(10, [0.1], id="ten just can"),
        pytest.param(999, [0.1, 0.01], id="one short of a thousand"),
        pytest.param(1000, [0.1, 0.01, 0.001], id="a thousand"),
    ],
)
def test_fars_need_enough_impostors(impostors, expected):
    scores = np.linspace(0, 1, impostors + 5)
    same = np.arange(impostors + 5) >= impostors
    assert list(tar_at_far(scores, same)) == expected
    assert list(threshold_at_fmr(scores, same)) == expected


@pytest.mark.parametrize(
    ("scores", "same", "weights", "error", "message"),
    [
        pytest.param([0.1, 0.2], [1, 1], None, FacedistillError, "2 genuine and 0 impostor", id="no impostor"),
        pytest.param([0.1, 0.2], [0, 0], None, FacedistillError, "0 genuine", id="no genuine"),
        pytest.param([], [], None, FacedistillError, "0 genuine", id="no pair"),
        pytest.param([0.1, np.nan], [0, 1], None, FacedistillError, "NaN", id="NaN score"),
        pytest.param([0.1, 0.2], [0], None, UsageError, "must be", id="lengths differ"),
        pytest.param([0.1, 0.2], [0, 1], [1], UsageError, "weights", id="too few weights"),
        pytest.param([0.1, 0.2], [0, 1], [1, -1], UsageError, "weights", id="negative weight"),
    ],
)
def test_refusals(scores, same, weights, error, message):
    with pytest.raises(error, match=message):
        eer(scores, same, weights)


@pytest.mark.parametrize("far", [0.0, 1.0, -0.1])
def test_a_rate_out_of_range_is_refused(far):
    with pytest.raises(UsageError, match="between 0 and 1"):
        tar_at_far([0.1, 0.2], [False, True], [far])


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_rows_without_direction_are_refused(bad):
    with pytest.raises(FacedistillError, match=r"1 rows of probes .*row 1"):
        unit_rows([[1.0, 2.0], [bad, 0.0]], "probes")


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_rows_of_any_length_become_unit(scale):
    np.testing.assert_allclose(unit_rows(np.array([[3.0, 4.0]]) * scale, "a"), [[0.6, 0.8]])


def test_a_ranking_serves_many_weightings():
    random = np.random.default_rng(0)
    scores, same = random.integers(0, 9, 200) / 9, random.random(200) < 0.3
    ranking = Ranking(scores, same)
    for _ in range(5):
        weights = random.integers(0, 3, 200)
        assert ranking.curve(weights).eer() == eer(scores, same, weights)
