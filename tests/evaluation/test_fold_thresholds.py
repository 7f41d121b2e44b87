"""The threshold of a fold follows one rule: it depends neither on the order of pairs nor on the fold that it tests."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedistill.evaluation.folds import HeldOut, contiguous_folds, identity_folds

# (training genuine, training impostor, threshold by the rule, why); test pairs on both sides probe it.
RULE = [
    ([0.9, 0.5], [0.4, 0.1], 0.45, "the middle of the gap that parts the classes"),
    ([0.9, 0.3], [0.5, 0.1], 0.7, "two gaps are equally good: the strictest, 0.9 to 0.5, not 0.3 to 0.1"),
    ([0.9, 0.6, 0.2], [0.7, 0.4, 0.1], 0.8, "three are: the strictest"),
    ([0.5, 0.5], [0.5, 0.1], 0.3, "ties of the classes stay together"),
    ([0.8], [0.2], 0.5, "one pair of each"),
]


@pytest.mark.parametrize(("genuine", "impostor", "threshold", "why"), RULE, ids=[row[3] for row in RULE])
@pytest.mark.parametrize("balanced", [False, True])
def test_the_threshold_is_the_middle_of_the_strictest_gap(genuine, impostor, threshold, why, balanced):
    training = [*genuine, *impostor]
    for shift, accuracy in ((-1e-6, 0.5), (1e-6, 1.0)):  # a genuine test pair below, then above the threshold
        scores = np.array([*training, threshold + shift, -0.9])
        same = np.array([True] * len(genuine) + [False] * len(impostor) + [True, False])
        folds = np.array([0] * len(training) + [1, 1])
        order = np.random.default_rng(0).permutation(len(scores))
        for places in (np.arange(len(scores)), order):
            accuracies = HeldOut(scores[places], same[places], folds[places], balanced).accuracies()
            assert accuracies[-1] == accuracy


PAIRS = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 7), st.sampled_from([-0.5, 0.0, 0.1, 0.25, 0.25000001, 0.5, 0.9])),
    min_size=12,
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(PAIRS, st.randoms(use_true_random=False), st.booleans())
def test_accuracies_do_not_depend_on_the_order_of_pairs(pairs, random, balanced):
    sides = np.array([(one, other) for one, other, _ in pairs] + [(n, n) for n in range(8)] * 2 + [(0, 2), (1, 3)] * 2)
    scores = np.array([score for *_, score in pairs] + [0.25] * 20)
    places = np.array(random.sample(range(len(scores)), len(scores)))
    found = []
    for order in (np.arange(len(scores)), places):
        people = sides[order]
        same = people[:, 0] == people[:, 1]
        found.append(HeldOut(scores[order], same, identity_folds(people, 4), balanced).accuracies())
    assert np.array_equal(*found)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_the_order_within_consecutive_folds_does_not_matter(seed, folds):
    random = np.random.default_rng(seed)
    same = np.tile([True, True, False, False], 5 * folds)
    scores = random.choice([0.1, 0.2, 0.3, 0.4], len(same))
    numbers = contiguous_folds(same, folds)
    order = np.concatenate([random.permutation(np.flatnonzero(numbers == fold)) for fold in range(folds)])
    accuracies = [HeldOut(scores[o], same[o], numbers, False).accuracies() for o in (np.arange(len(same)), order)]
    assert np.array_equal(*accuracies)
