"""verify_pairs and its folds, against a slow reading of the protocol."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation import verify_pairs
from facedistill.evaluation.folds import UNUSED, HeldOut, contiguous_folds, identity_folds


def slow_accuracies(scores, same, folds, balanced):
    """For each fold: try every threshold on the other pairs, keep the strictest best, test the fold with it."""

    def accuracy(accepted, truth):
        if balanced:
            return (np.mean(accepted[truth]) + np.mean(~accepted[~truth])) / 2
        return np.mean(accepted == truth)

    results = []
    for fold in range(folds.max() + 1):
        train, test = (folds != fold) & (folds != UNUSED), folds == fold
        if balanced and len(set(same[test])) < 2:
            continue
        values = np.unique(scores[train])[::-1]
        thresholds = [np.inf, *((values[:-1] + values[1:]) / 2), -np.inf]
        rates = [round(accuracy(scores[train] >= t, same[train]), 12) for t in thresholds]
        results.append(accuracy(scores[test] >= thresholds[int(np.argmax(rates))], same[test]))
    return np.array(results)


@given(st.integers(0, 10_000), st.integers(2, 6), st.sampled_from([2, 8, 64]), st.booleans())
@settings(max_examples=120, deadline=None)
def test_fold_accuracies_are_those_of_the_protocol(seed, count, steps, balanced):
    random = np.random.default_rng(seed)
    pairs = 40
    same = random.permutation(np.arange(pairs) % 3 == 0)
    scores = np.round((random.normal(size=pairs) + same) * steps) / steps  # the middle of two is exact
    folds = random.integers(-1, count, pairs)
    folds[:count] = np.arange(count)
    outside = [same[(folds != f) & (folds != UNUSED)] for f in range(count)]
    if any(len(set(part)) < 2 for part in outside):
        return
    mine = HeldOut(scores, same, folds, balanced).accuracies()
    np.testing.assert_allclose(mine, slow_accuracies(scores, same, folds, balanced), atol=1e-12)


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_weighted_pair_is_that_many_copies(seed, balanced):
    random = np.random.default_rng(seed)
    scores, same = random.integers(0, 9, 60) / 8, random.random(60) < 0.4
    folds, weights = np.arange(60) % 4, random.integers(0, 3, 60)
    held_out = HeldOut(scores, same, folds, balanced)
    copied = HeldOut(*(np.repeat(x, weights) for x in (scores, same, folds)), balanced)
    np.testing.assert_allclose(held_out.accuracies(weights[held_out.order].astype(float)), copied.accuracies())


def test_scores_of_the_tested_fold_do_not_move_its_threshold():
    # Training scores are 0 and 1, so the threshold is 0.5 whatever lies between them in the tested fold.
    scores = np.array([1.0, 0.0, 0.6, 0.4])
    same = np.array([True, False, True, False])
    assert HeldOut(scores, same, np.array([0, 0, 1, 1])).accuracies()[1] == 1.0
    assert HeldOut(scores, same[[0, 1, 3, 2]], np.array([0, 0, 1, 1])).accuracies()[1] == 0.0


def embeddings(people, seed=0, noise=0.3, size=16):
    random = np.random.default_rng(seed)
    centres = random.normal(size=(max(people) + 1, size))
    return centres[np.asarray(people)] + noise * random.normal(size=(len(people), size))


def lfw_like(folds=10, half=6, people=200, noise=0.8):
    """`folds` stretches of `half` pairs of the same and `half` of different people."""
    random = np.random.default_rng(1)
    sides = []
    for _ in range(folds):
        sides += [(p, p) for p in random.integers(0, people, half)]
        sides += [tuple(random.choice(people, 2, replace=False)) for _ in range(half)]
    sides = np.array(sides)
    a, b = (embeddings(sides[:, side], seed=2, noise=0) for side in (0, 1))
    noises = random.normal(size=(2, *a.shape)) * noise
    return a + noises[0], b + noises[1], sides[:, 0] == sides[:, 1], sides


def test_result_of_an_lfw_like_list():
    a, b, same, _ = lfw_like(noise=0.7)
    result = verify_pairs(a, b, same)
    assert result.folds == 10
    assert (result.genuine, result.impostors, result.smallest_far) == (60, 60, 1 / 60)
    assert 0.8 < result.accuracy <= 1
    assert 0 < result.accuracy_std < 0.2
    assert list(result.tar_at_far) == list(result.threshold_at_fmr) == [0.1]
    cosine = np.sum(a * b, axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    slow = slow_accuracies(cosine, same, np.repeat(np.arange(10), 12), balanced=False)
    assert result.accuracy == pytest.approx(slow.mean(), abs=1e-12)
    assert result.accuracy_std == pytest.approx(slow.std(), abs=1e-12)


def test_length_of_embeddings_does_not_matter():
    a, b, same, _ = lfw_like()
    scale = np.random.default_rng(0).uniform(0.1, 9, (len(a), 1))
    assert verify_pairs(a * scale, b, same).eer == pytest.approx(verify_pairs(a, b, same).eer)


def test_perfect_and_hopeless_embeddings():
    same = np.tile([True, False], 20)
    a = np.tile([1.0, 0.0], (40, 1))
    result = np.where(same[:, None], a, a[:, ::-1])
    perfect = verify_pairs(a, result, same)
    assert (perfect.accuracy, perfect.accuracy_std, perfect.eer, perfect.auc) == (1.0, 0.0, 0.0, 1.0)
    assert perfect.tar_at_far[0.1] == 1.0
    blind = verify_pairs(a, a, same)
    assert (blind.accuracy, blind.eer, blind.auc, blind.tar_at_far[0.1]) == (0.5, 0.5, 0.5, 0.0)


@given(st.integers(4, 30), st.integers(2, 12), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_identity_folds_share_nobody(people, folds, seed):
    labels = np.repeat(np.random.default_rng(seed).permutation(1000)[:people] - 500, 2)
    left, right = np.triu_indices(len(labels), 1)
    sides = np.stack((labels[left], labels[right]), axis=1)
    numbers = identity_folds(sides, folds)
    assert numbers.max() + 1 == min(folds, people // 2)
    seen = [set(sides[numbers == f].ravel()) for f in range(numbers.max() + 1)]
    assert all(a.isdisjoint(b) for i, a in enumerate(seen) for b in seen[:i])
    assert set().union(*seen) == set(labels)
    genuine = sides[:, 0] == sides[:, 1]
    assert (numbers[genuine] != UNUSED).all()


def test_pairs_across_folds_count_for_all_but_the_accuracy():
    a, b, same, sides = lfw_like()
    plain, disjoint = verify_pairs(a, b, same), verify_pairs(a, b, same, identities=sides)
    assert (plain.eer, plain.auc, plain.threshold_at_fmr) == (disjoint.eer, disjoint.auc, disjoint.threshold_at_fmr)
    assert (disjoint.genuine, disjoint.impostors) == (60, 60)


def test_fewer_pairs_than_folds_make_fewer_folds():
    assert contiguous_folds(np.array([True, False] * 2), 10).tolist() == [0, 1, 2, 3]


def pairs(same):
    return np.ones((len(same), 2)), np.ones((len(same), 2)), np.array(same, dtype=bool)


@pytest.mark.parametrize(
    ("same", "options", "error", "message"),
    [
        pytest.param([1, 1, 1], {}, FacedistillError, "3 genuine and 0 impostor", id="one class"),
        pytest.param([], {}, FacedistillError, "0 genuine", id="no pairs"),
        pytest.param([1, 1, 0, 0], {"folds": 2}, FacedistillError, "one class only", id="each class in its own fold"),
        pytest.param([1, 0, 1, 0], {"folds": 1}, UsageError, "at least 2", id="one fold"),
        pytest.param([1, 0], {"identities": [[1, 1]]}, UsageError, r"must be \[2, 2\]", id="too few identities rows"),
        pytest.param([1, 0], {"identities": [[1, 2], [1, 2]]}, UsageError, "disagree", id="contradiction"),
        pytest.param(
            [1, 1, 0], {"identities": [[1, 1], [2, 2], [1, 2]]}, FacedistillError, "four people", id="two people"
        ),
    ],
)
def test_refusals(same, options, error, message):
    with pytest.raises(error, match=message):
        verify_pairs(*pairs(same), **options)


def test_shapes_and_rows_are_checked():
    with pytest.raises(UsageError, match="must be"):
        verify_pairs(np.ones((2, 3)), np.ones((2, 4)), [True, False])
    with pytest.raises(FacedistillError, match=r"rows of b .*row 1"):
        verify_pairs(np.ones((2, 3)), [[1, 1, 1], [0, 0, 0]], [True, False])
