"""Intervals and paired tests against resamples that are written out, exact binomials, and models known to be equal."""

from dataclasses import replace
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation import Comparison, bootstrap, compare, mcnemar
from facedistill.evaluation.mcnemar import McNemar
from facedistill.evaluation.metrics import auc, eer, tar_at_far

STATISTICS = ["eer", "auc", "accuracy", ("tar", 0.1)]


def people_and_pairs(people=14, pictures=3, seed=0):
    """Every two pictures: who is on either side, [P, 2]."""
    ids = np.repeat(np.arange(people), pictures)
    left, right = np.triu_indices(len(ids), 1)
    return np.random.default_rng(seed), np.stack((ids[left], ids[right]), axis=1)


def model_scores(random, sides, strength):
    """A model's cosines of noisy pictures of the pairs' people."""
    same = sides[:, 0] == sides[:, 1]
    return np.tanh(strength * same + random.normal(size=len(same))) / 2


def slow_interval(sides, same, seed, draws, statistic):
    """Draws people, copies every pair as often as its people's copies meet, and measures."""
    random, people = np.random.default_rng(seed), sides.max() + 1
    values = []
    for _ in range(draws):
        counts = random.multinomial(people, np.full(people, 1 / people))
        copies = [counts[a] if a == b else counts[a] * counts[b] for a, b in sides.tolist()]
        chosen = np.repeat(np.arange(len(same)), copies)
        if 0 < np.count_nonzero(same[chosen]) < len(chosen):
            values.append(statistic(chosen))
    return np.percentile(values, (2.5, 97.5))


@pytest.mark.parametrize(
    ("name", "slow"),
    [
        ("eer", eer),
        ("auc", auc),
        (("tar", 0.1), lambda scores, same: tar_at_far(scores, same, [0.1])[0.1]),
    ],
)
def test_intervals_are_those_of_copied_pairs(name, slow):
    random, sides = people_and_pairs(8)
    same = sides[:, 0] == sides[:, 1]
    a, b = model_scores(random, sides, 1), model_scores(random, sides, 1.5)
    estimate = bootstrap(a, same, sides, name, draws=30, seed=4)
    assert estimate.value == pytest.approx(slow(a, same))
    expected = slow_interval(sides, same, 4, 30, lambda pairs: slow(a[pairs], same[pairs]))
    np.testing.assert_allclose(estimate.interval, expected, atol=1e-9)
    comparison = compare(a, b, same, sides, name, draws=30, seed=4)
    expected = slow_interval(
        sides, same, 4, 30, lambda pairs: slow(a[pairs], same[pairs]) - slow(b[pairs], same[pairs])
    )
    np.testing.assert_allclose(comparison.interval, expected, atol=1e-9)
    assert comparison.difference == pytest.approx(slow(a, same) - slow(b, same))


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("known", [True, False])
def test_a_better_model_wins_and_itself_is_no_match(statistic, known):
    random, sides = people_and_pairs(24)
    same = sides[:, 0] == sides[:, 1]
    order = random.permutation(len(same))  # both classes in every stretch of pairs
    sides, same = sides[order], same[order]
    good, poor = model_scores(random, sides, 4), model_scores(random, sides, 1)
    identities = sides if known else None
    won = compare(good, poor, same, identities, statistic, draws=100)
    assert won.significant
    assert won.p_value == pytest.approx(2 / 101)
    assert won.sentence("student", "control").startswith("student beats control: ")
    lost = compare(poor, good, same, identities, statistic, draws=100)
    assert (lost.difference, lost.p_value, lost.mcnemar.p_value) == (-won.difference, won.p_value, won.mcnemar.p_value)
    np.testing.assert_allclose(lost.interval, [-bound for bound in won.interval[::-1]], atol=1e-12)
    assert lost.sentence("control", "student") == won.sentence("student", "control")
    drawn = compare(good, good, same, identities, statistic, draws=100)
    assert (drawn.difference, drawn.interval, drawn.p_value) == (0, (0, 0), 1)
    assert (drawn.significant, drawn.mcnemar) == (False, McNemar(0, 0, 1.0))
    assert drawn.sentence("a", "b").startswith("no difference shown: ")


@given(st.integers(0, 10_000), st.floats(0, 1), st.sampled_from(["eer", "auc"]))
@settings(max_examples=25, deadline=None)
def test_what_is_significant_has_an_interval_beside_zero(seed, gain, statistic):
    random, sides = people_and_pairs(seed=seed)
    same = sides[:, 0] == sides[:, 1]
    a, b = model_scores(random, sides, 1), model_scores(random, sides, 1 + gain)
    comparison = compare(a, b, same, sides, statistic, draws=60, seed=seed)
    low, high = comparison.interval
    assert low <= high
    assert comparison.significant == (comparison.p_value < 0.05)
    if comparison.significant:
        assert low > 0 or high < 0
    assert 2 / 61 <= comparison.p_value <= 1


def test_equal_models_seldom_differ_significantly():
    """Two models of the same strength, 200 times: about one in twenty may come out, twice that would be an alarm."""
    shown = 0
    for seed in range(200):
        random, sides = people_and_pairs(20, 2, seed)
        same = sides[:, 0] == sides[:, 1]
        a, b = (model_scores(random, sides, 1.5) for _ in range(2))
        shown += compare(a, b, same, sides, "auc", draws=80, seed=seed).significant
    assert shown <= 20


def test_names_and_numbers_give_the_same():
    random, sides = people_and_pairs()
    same = sides[:, 0] == sides[:, 1]
    a, b = model_scores(random, sides, 1), model_scores(random, sides, 2)
    names = np.array([f"person {i:02}" for i in range(14)])[sides]
    assert compare(a, b, same, sides, draws=50) == compare(a, b, same, names, draws=50)


@given(st.integers(0, 60), st.integers(0, 60))
@settings(max_examples=80, deadline=None)
def test_mcnemar_is_the_binomial_of_the_disagreements(only_a, only_b):
    right_a = np.repeat([True, False, True, False], [only_a, only_b, 5, 7])
    right_b = np.repeat([False, True, True, False], [only_a, only_b, 5, 7])
    throws, fewer = only_a + only_b, min(only_a, only_b)
    exact = min(1.0, 2 * sum(comb(throws, k) for k in range(fewer + 1)) / 2**throws)
    result = mcnemar(right_a, right_b)
    assert (result.only_a, result.only_b) == (only_a, only_b)
    assert result.p_value == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(
    ("only_a", "only_b"),
    [
        pytest.param(1500, 1400, id="thousands"),
        pytest.param(2000, 0, id="a chance too small for a float"),
        pytest.param(1600, 1000, id="far in the tail"),
    ],
)
def test_mcnemar_of_many_pairs(only_a, only_b):
    throws, fewer = only_a + only_b, min(only_a, only_b)
    exact = 2 * sum(comb(throws, k) for k in range(fewer + 1)) / 2**throws
    result = mcnemar(np.arange(throws) < only_a, np.arange(throws) >= only_a)
    assert result.p_value == pytest.approx(exact, rel=1e-9, abs=1e-300)


def test_decisions_are_taken_at_each_models_own_threshold():
    """The scale of a model's scores decides nothing."""
    random, sides = people_and_pairs()
    same = sides[:, 0] == sides[:, 1]
    scores = model_scores(random, sides, 1.5)
    for statistic in ("eer", ("tar", 0.1)):
        assert compare(scores, scores * 0.1 + 0.5, same, sides, statistic, draws=5).mcnemar == McNemar(0, 0, 1.0)


def test_mcnemar_counts_decisions():
    same = np.array([True] * 4 + [False] * 4)
    a = np.array([0.9, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1])
    b = np.array([0.9, 0.9, 0.9, 0.1, 0.9, 0.1, 0.1, 0.1])  # one of either kind on the wrong side
    assert compare(a, b, same, None, "auc", draws=5).mcnemar == McNemar(2, 0, 0.5)


FOUND = Comparison("EER", 0.031, 0.043, (-0.021, -0.004), 0.003, True, McNemar(9, 2, 0.07))


@pytest.mark.parametrize(
    ("comparison", "sentence"),
    [
        pytest.param(
            FOUND, "student beats control: EER 1.2 points lower (95 % 0.4 to 2.1, p = .003)", id="fewer errors win"
        ),
        pytest.param(
            replace(FOUND, a=0.043, b=0.031, interval=(0.004, 0.021)),
            "control beats student: EER 1.2 points lower (95 % 0.4 to 2.1, p = .003)",
            id="the second wins",
        ),
        pytest.param(
            replace(FOUND, statistic="AUC", a=0.9, b=0.8, interval=(0.05, 0.2), p_value=0.0005, lower_is_better=False),
            "student beats control: AUC 10.0 points higher (95 % 5.0 to 20.0, p < .001)",
            id="more area wins",
        ),
        pytest.param(
            replace(FOUND, interval=(-0.021, 0.004), p_value=0.214),
            "no difference shown: EER of student less that of control is -1.2 points (95 % -2.1 to 0.4, p = .21)",
            id="nothing is claimed",
        ),
        pytest.param(
            replace(FOUND, a=0.0001, b=0.0004, interval=(-0.0005, -0.0001), p_value=0.02),
            "student beats control: EER 0.03 points lower (95 % 0.01 to 0.05, p = .020)",
            id="small figures keep their digits",
        ),
        pytest.param(
            replace(FOUND, a=0.04, b=0.04, interval=(0.0, 0.0), p_value=1.0),
            "no difference shown: EER of student less that of control is 0.0 points (95 % 0.0 to 0.0, p = 1.00)",
            id="equal",
        ),
    ],
)
def test_the_sentence(comparison, sentence):
    assert comparison.sentence("student", "control") == sentence


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        pytest.param({"statistic": "f1"}, UsageError, "no statistic 'f1'", id="unknown statistic"),
        pytest.param({"statistic": ("far", 0.1)}, UsageError, "no statistic", id="unknown pair"),
        pytest.param({"statistic": ("tar", 1e-3)}, FacedistillError, "needs 1000 impostor", id="too few impostors"),
        pytest.param({"statistic": ("tar", 2.0)}, UsageError, "between 0 and 1", id="no rate"),
        pytest.param({"draws": 0}, UsageError, "draws must be a whole number from 1", id="no replicate"),
        pytest.param({"identities": [[0, 1]]}, UsageError, r"must be \[6, 2\]", id="too few identities"),
        pytest.param({"identities": [[0, 1]] * 6}, UsageError, "disagree", id="identities contradict"),
        pytest.param({"scores_b": [0.1] * 5}, UsageError, "must be", id="lengths differ"),
        pytest.param({"scores_b": [np.nan] * 6}, FacedistillError, "NaN", id="NaN scores"),
        pytest.param({"same": [1] * 6, "identities": None}, FacedistillError, "0 impostor", id="one class"),
        pytest.param({"same": [[1, 0]]}, UsageError, r"must be \[P\]", id="truths of two axes"),
    ],
)
def test_refusals(changes, error, message):
    sides = [[0, 0], [1, 1], [2, 2], [0, 1], [1, 2], [0, 2]]
    call = {
        "scores_a": [0.9, 0.8, 0.3, 0.4, 0.2, 0.1],
        "scores_b": [0.5, 0.8, 0.7, 0.6, 0.2, 0.1],
        "same": [1, 1, 1, 0, 0, 0],
        "identities": sides,
        "draws": 5,
    }
    with pytest.raises(error, match=message):
        compare(**(call | changes))


def test_models_of_different_pairs_are_refused():
    with pytest.raises(UsageError, match="same pairs"):
        mcnemar([True], [True, False])
