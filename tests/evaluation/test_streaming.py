"""The streaming metric against scores that were kept, and against every pair compared with every edge."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation import VerificationMetric
from facedistill.evaluation.metrics import Ranking

RATES = (0.5, 0.3, 0.1)
ROUNDING = 1e-12


@st.composite
def scored_pairs(draw):
    """Pairs of which many tie, many lie on edges of bins, and some just beside them."""
    count = draw(st.integers(2, 60))
    steps = draw(st.sampled_from([2, 4, 10, 64]))
    whole = draw(st.lists(st.integers(-steps, steps), min_size=count, max_size=count))
    aside = draw(st.lists(st.sampled_from([-1, 0, 0, 1]), min_size=count, max_size=count))
    same = draw(st.lists(st.booleans(), min_size=count, max_size=count).filter(lambda s: len(set(s)) == 2))
    scores = np.array(whole) / steps
    scores = np.clip(np.nextafter(scores, scores + aside), -1, 1)
    return scores.astype(draw(st.sampled_from([np.float32, np.float64]))), np.array(same)


bins = st.sampled_from([2, 8, 64, 1 << 16])


def filled(scores, same, **options):
    metric = VerificationMetric(**options)
    metric.update(scores, same)
    return metric


def everything(figures):
    det = np.stack(figures.det())
    return figures.eer, figures.auc, figures.tar_at_far, figures.threshold_at_fmr, figures.error_bound, det.tolist()


@given(scored_pairs(), st.integers(0, 60))
@settings(max_examples=80, deadline=None)
def test_exact_is_the_ranking_to_the_last_bit(case, cut):
    scores, same = case
    metric = filled(scores[:cut], same[:cut], exact=True)
    metric.update(scores[cut:], same[cut:])
    figures, curve = metric.compute(RATES), Ranking(scores, same).curve()
    assert (figures.eer, figures.auc) == (curve.eer(), curve.auc())
    rates = [rate for rate in RATES if rate * np.count_nonzero(~same) >= 1]
    assert figures.tar_at_far == {rate: curve.tar_at(rate) for rate in rates}
    assert figures.threshold_at_fmr == {rate: curve.threshold_at(rate) for rate in rates}
    np.testing.assert_array_equal(figures.det(), (curve.fmr, 1 - curve.tmr, curve.thresholds))
    bound = figures.error_bound
    assert (bound.eer, bound.auc, bound.threshold, set(bound.tar_at_far.values()) - {0.0}) == (0, 0, 0, set())


@given(scored_pairs(), bins)
@settings(max_examples=200, deadline=None)
def test_counted_figures_keep_their_bounds(case, count):
    scores, same = case
    counted = filled(scores, same, bins=count).compute(RATES)
    exact = filled(scores, same, exact=True).compute(RATES)
    bound = counted.error_bound
    assert abs(counted.eer - exact.eer) <= bound.eer + ROUNDING
    assert abs(counted.auc - exact.auc) <= bound.auc + ROUNDING
    assert counted.tar_at_far.keys() == exact.tar_at_far.keys()
    for rate, tar in counted.tar_at_far.items():
        assert 0 <= exact.tar_at_far[rate] - tar <= bound.tar_at_far[rate] + ROUNDING
        assert counted.fnmr_at_fmr[rate] == 1 - tar
        assert 0 <= counted.threshold_at_fmr[rate] - exact.threshold_at_fmr[rate] <= bound.threshold == 2 / count
    assert (counted.genuine, counted.impostors) == (exact.genuine, exact.impostors)


@given(scored_pairs(), bins)
@settings(max_examples=100, deadline=None)
def test_rates_and_thresholds_are_exact_at_the_edges(case, count):
    scores, same = case
    genuine, impostor = scores[same].astype(float), scores[~same].astype(float)
    figures = filled(scores, same, bins=count).compute(RATES)
    for fmr, fnmr, threshold in zip(*figures.det(), strict=True):
        assert fmr == np.mean(impostor >= threshold)
        assert fnmr == pytest.approx(np.mean(genuine < threshold), abs=ROUNDING)
    edges = [-1 + 2 * k / count for k in range(count + 1)] + [np.nextafter(1, 2)]
    for rate, threshold in figures.threshold_at_fmr.items():
        below = edges[max(0, edges.index(threshold) - 1)]
        assert np.mean(impostor >= threshold) <= rate < np.mean(impostor >= below)
        assert figures.tar_at_far[rate] == np.mean(genuine >= threshold)


@given(scored_pairs(), st.integers(0, 60), st.integers(0, 1000), st.booleans())
@settings(max_examples=80, deadline=None)
def test_neither_order_nor_grouping_changes_a_bit(case, cut, seed, exact):
    scores, same = case
    together = filled(scores, same, exact=exact, bins=64).compute(RATES)
    shuffle = np.random.default_rng(seed).permutation(len(scores))
    scores, same = scores[shuffle], same[shuffle]
    one, other = (filled(scores[part], same[part], exact=exact, bins=64) for part in (slice(cut), slice(cut, None)))
    other.merge(pickle.loads(pickle.dumps(one)))  # as from another process  # noqa: S301
    assert everything(other.compute(RATES)) == everything(together)


@pytest.mark.parametrize("exact", [False, True])
def test_the_caller_may_use_its_arrays_again(exact):
    metric, scores, same = VerificationMetric(exact=exact), np.array([0.9, 0.1], np.float32), np.array([True, False])
    metric.update(scores, same)
    scores[:], same[:] = 0, True
    metric.update(np.array([0.8]), False)
    assert (metric.compute().eer, metric.compute().impostors) == (0, 2)


def test_one_bool_serves_a_whole_update():
    random = np.random.default_rng(0)
    genuine, impostor = random.uniform(0, 1, 50), random.uniform(-1, 0.5, 70)
    metric = VerificationMetric()
    metric.update(genuine, True)
    metric.update(impostor, False)
    together = filled(np.concatenate((genuine, impostor)), np.arange(120) < 50)
    assert everything(metric.compute()) == everything(together.compute())


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    ("scores", "same", "eer", "auc"),
    [
        pytest.param([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], 0.0, 1.0, id="classes apart"),
        pytest.param([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0], 1.0, 0.0, id="all wrong"),
        pytest.param([0.5] * 5, [1, 1, 0, 0, 0], 0.5, 0.5, id="one score for all is a coin"),
        pytest.param([1.0, 1.0, 1.0, -1.0], [1, 1, 0, 0], 1 / 3, 0.75, id="ties at the very end of the range"),
        pytest.param([0.9, 0.4, 0.6], [1, 1, 0], 0.5, 0.5, id="a single impostor"),
        pytest.param([0.9, 0.9, 0.4, 0.4, 0.6, 0.6], [1, 1, 1, 1, 0, 0], 0.5, 0.5, id="every score twice"),
    ],
)
def test_known_cases(exact, scores, same, eer, auc):
    figures = filled(scores, same, exact=exact).compute()
    assert figures.eer == pytest.approx(eer, abs=ROUNDING)
    assert figures.auc == pytest.approx(auc, abs=ROUNDING)


@pytest.mark.parametrize(
    ("score", "edge"),
    [
        pytest.param(np.float32(-1e-30), -1.0, id="a float32 just below an edge"),
        pytest.param(-5e-324, -1.0, id="the number next below an edge"),
        pytest.param(-0.0, 0.0, id="minus zero is zero"),
        pytest.param(0.0, 0.0, id="on the edge"),
        pytest.param(np.nextafter(1.0, 0.0), 0.0, id="just below one"),
        pytest.param(1.0, 1.0, id="one has a bin of its own"),
        pytest.param(np.float32(1.000001), 1.0, id="one and its rounding"),
        pytest.param(-1.000001, -1.0, id="minus one and its rounding"),
    ],
)
def test_a_score_falls_into_its_bin(score, edge):
    metric = VerificationMetric(bins=2)
    metric.update(np.array([score]), True)
    metric.update([-1.0, 0.0, 1.0], False)
    _, fnmr, thresholds = metric.compute().det()
    assert thresholds[np.flatnonzero(fnmr == 0)[0]] == edge


def test_memory_does_not_grow_with_the_number_of_scores():
    metric, random = VerificationMetric(), np.random.default_rng(0)
    metric.update([0.5], True)
    before = len(pickle.dumps(metric))
    for _ in range(3):
        metric.update(random.uniform(-1, 1, 100_000), False)
    assert len(pickle.dumps(metric)) == before < 2_000_000


def test_a_thousand_million_impostors():
    metric = VerificationMetric()
    metric.update(np.full(1000, 0.75), True)
    metric.update(np.arange(-500_000, 500_000) / 1_000_000, False)
    for _ in range(10):
        metric.merge(metric)
    figures = metric.compute()
    assert (figures.genuine, figures.impostors) == (1_024_000, 1_024_000_000)
    assert list(figures.tar_at_far) == [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6]
    assert figures.eer == 0
    for fmr, threshold in figures.threshold_at_fmr.items():
        assert threshold == pytest.approx(0.5 - fmr, abs=figures.error_bound.threshold + 1e-6)


@pytest.mark.parametrize(
    ("impostors", "smallest"),
    [
        pytest.param(10, 1e-1, id="ten show one in ten"),
        pytest.param(99_999, 1e-4, id="one short"),
        pytest.param(100_000, 1e-5, id="a hundred thousand"),
    ],
)
def test_rates_need_enough_impostors(impostors, smallest):
    metric = VerificationMetric()
    metric.update(np.zeros(impostors), False)
    metric.update([1.0], True)
    assert min(metric.compute().threshold_at_fmr) == smallest


@pytest.mark.parametrize("exact", [False, True])
def test_reset_forgets(exact):
    metric = filled([0.9, 0.1], [False, True], exact=exact)
    metric.reset()
    metric.update([0.9, 0.1], [True, False])
    assert metric.compute().eer == 0
    assert metric.empty().exact is exact


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    ("scores", "same", "error", "message"),
    [
        pytest.param([], [], FacedistillError, "0 genuine and 0 impostor", id="no pair"),
        pytest.param([0.1, 0.2], [1, 1], FacedistillError, "2 genuine and 0 impostor", id="no impostor"),
        pytest.param([0.1, 0.2], [0, 0], FacedistillError, "0 genuine and 2 impostor", id="no genuine"),
        pytest.param([0.1, np.nan], [0, 1], FacedistillError, "NaN or infinite", id="NaN"),
        pytest.param([-np.inf, 0.3], [0, 1], FacedistillError, "NaN or infinite", id="infinite"),
        pytest.param([0.1, 0.2], [0], UsageError, "must be", id="lengths differ"),
        pytest.param([[0.1, 0.2]], [[0, 1]], UsageError, "must be", id="two axes"),
    ],
)
def test_refusals(exact, scores, same, error, message):
    with pytest.raises(error, match=message):
        filled(scores, same, exact=exact).compute()


def test_scores_beyond_the_range_are_kept_or_refused():
    with pytest.raises(UsageError, match="from -3 to 7 cannot be counted"):
        filled([-3.0, 7.0], False)
    assert filled([-3.0, 7.0], [False, True], exact=True).compute().eer == 0


@pytest.mark.parametrize("count", [0, 1, 3, 1000, -4, 1 << 30])
def test_numbers_of_bins_that_are_refused(count):
    with pytest.raises(UsageError, match="power of two"):
        VerificationMetric(bins=count)


def test_metrics_of_different_settings_do_not_merge():
    with pytest.raises(UsageError, match="different settings"):
        VerificationMetric().merge(VerificationMetric(exact=True))
    with pytest.raises(UsageError, match="different settings"):
        VerificationMetric().merge(VerificationMetric(bins=64))


def test_a_rate_out_of_range_is_refused():
    with pytest.raises(UsageError, match="between 0 and 1"):
        filled([0.1, 0.2], [False, True]).compute([1.0])
