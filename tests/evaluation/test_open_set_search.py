"""Open-set search against one that is written out probe by probe in float64."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation import SearchMetric, identify

CORNERS = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.6, 0.8]])
RATES = (0.5, 0.3, 0.1)


def slow_search(gallery, gallery_ids, probes, probe_ids):
    """(score, rank) of mated probes and the best score of the others."""
    mates, strangers = [], []
    for probe, person in zip(probes, probe_ids, strict=True):
        best = {}
        for row, name in zip(gallery, gallery_ids, strict=True):
            cosine = row @ probe / np.linalg.norm(row) / np.linalg.norm(probe)
            best[name] = max(cosine, best.get(name, -2.0))
        if person in best:
            mates.append((best[person], sum(score >= best[person] - 1e-9 for score in best.values())))
        else:
            strangers.append(max(best.values()))
    return mates, strangers


def slow_fnir(mates, rank, threshold):
    return np.mean([not (place <= rank and score >= threshold - 1e-9) for score, place in mates])


@st.composite
def searches(draw):
    """A gallery with several templates for some people, and probes of whom some are strangers; many ties."""
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    people = draw(st.integers(1, 6))
    gallery_ids = np.concatenate((np.arange(people), random.integers(0, people, 3))) * 5
    probe_ids = np.concatenate(([0], random.integers(0, people + 3, 11))) * 5
    gallery, probes = (CORNERS[random.integers(0, 4, len(ids))] for ids in (gallery_ids, probe_ids))
    return gallery * random.uniform(0.5, 2, (len(gallery), 1)), gallery_ids, probes, probe_ids


@given(searches())
@settings(max_examples=100, deadline=None)
def test_figures_are_those_of_a_full_search(case):
    gallery, gallery_ids, probes, probe_ids = case
    metric = SearchMetric(gallery, gallery_ids, ranks=(1, 3))
    metric.update(probes, probe_ids)
    figures = metric.compute(RATES)
    mates, strangers = slow_search(*case)
    assert figures.mate_ranks.tolist() == [rank for _, rank in mates]
    np.testing.assert_allclose(figures.mate_scores, [score for score, _ in mates], atol=1e-6)
    np.testing.assert_allclose(figures.strangers, strangers, atol=1e-6)
    for k in (1, 2, 3):
        assert figures.rank_k(k) == np.mean([rank <= k for _, rank in mates])
    assert figures.cmc.tolist() == [figures.rank_k(k + 1) for k in range(figures.identities)]
    assert list(figures.threshold_at_fpir) == [rate for rate in RATES if rate * len(strangers) >= 1]
    for rate, threshold in figures.threshold_at_fpir.items():
        assert figures.fpir(threshold) <= rate
        if threshold > -1:  # the least number that keeps the rate
            assert figures.fpir(np.nextafter(threshold, -2)) > rate
        for rank in (1, 3):
            # Corners' scores are far apart, so a little aside decides as the threshold does.
            slow = 1 - slow_fnir(mates, rank, threshold + 1e-5 * (threshold > -1))
            assert figures.tpir_at_fpir[rank][rate] == pytest.approx(slow)
            assert figures.fnir(rank, threshold) == pytest.approx(1 - figures.tpir(rank, threshold))


@given(searches(), st.integers(0, 12), st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_neither_order_nor_grouping_matters(case, cut, seed):
    gallery, gallery_ids, probes, probe_ids = case
    whole, one = SearchMetric(gallery, gallery_ids), SearchMetric(gallery, gallery_ids)
    whole.update(probes, probe_ids)
    shuffle = np.random.default_rng(seed).permutation(len(probes))
    one.update(probes[shuffle[:cut]], probe_ids[shuffle[:cut]])
    other = pickle.loads(pickle.dumps(SearchMetric(gallery, gallery_ids)))  # noqa: S301
    other.update(probes[shuffle[cut:]], probe_ids[shuffle[cut:]])
    one.merge(other)
    first, second = whole.compute(RATES), one.compute(RATES)
    assert first.tpir_at_fpir == second.tpir_at_fpir
    assert first.threshold_at_fpir == second.threshold_at_fpir
    assert first.cmc.tolist() == second.cmc.tolist()


def clouds(people=60, size=16, noise=0.8):
    """An enrolled template each for the first two thirds of the people, and three probes of everybody."""
    random = np.random.default_rng(3)
    centres = random.normal(size=(people, size))
    enrolled = people * 2 // 3
    ids = np.repeat(np.arange(people), 3)
    return centres[:enrolled], np.arange(enrolled), centres[ids] + noise * random.normal(size=(len(ids), size)), ids


def test_mated_probes_alone_are_a_closed_set():
    gallery, gallery_ids, probes, ids = clouds()
    mated = ids < len(gallery)
    metric = SearchMetric(gallery, gallery_ids)
    metric.update(probes[mated], ids[mated])
    figures, closed = metric.compute(), identify(gallery, gallery_ids, probes[mated], ids[mated])
    assert figures.mate_ranks.tolist() == closed.ranks.tolist()
    np.testing.assert_array_equal(figures.cmc, closed.cmc)
    assert (figures.threshold_at_fpir, figures.tpir_at_fpir) == ({}, {1: {}, 20: {}})
    with pytest.raises(FacedistillError, match="no FPIR"):
        figures.fpir(0.5)


def test_a_stricter_fpir_finds_fewer():
    gallery, gallery_ids, probes, ids = clouds()
    metric = SearchMetric(gallery, gallery_ids)
    metric.update(probes, ids)
    figures = metric.compute()
    assert (figures.mated, figures.unmated, figures.identities) == (120, 60, 40)
    assert list(figures.threshold_at_fpir) == [0.3, 0.2, 0.1]  # 60 strangers cannot show 1 in 100
    for rank in (1, 20):
        tpirs = list(figures.tpir_at_fpir[rank].values())
        assert tpirs == sorted(tpirs, reverse=True)
        assert 0 < tpirs[-1] <= figures.rank_k(rank)
    assert all(figures.tpir_at_fpir[1][rate] <= figures.tpir_at_fpir[20][rate] for rate in (0.3, 0.2, 0.1))


@pytest.mark.parametrize("spread", [0.0, 1e-9])
def test_a_constant_embedding_finds_nobody(spread):
    rows = np.ones((50, 512)) + spread * np.random.default_rng(0).normal(size=(50, 512))
    metric = SearchMetric(rows[:30], np.arange(30))
    metric.update(rows, np.arange(50))
    figures = metric.compute()
    assert (figures.rank_k(20), figures.rank_k(30)) == (0.0, 1.0)
    assert figures.tpir_at_fpir == {1: dict.fromkeys((0.3, 0.2, 0.1), 0.0), 20: dict.fromkeys((0.3, 0.2, 0.1), 0.0)}


def test_equal_templates_of_two_people_tie_wherever_they_stand():
    """A matrix product may round the same row otherwise at another place."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(37, 129)).astype(np.float32)
    metric = SearchMetric(np.concatenate((rows, rows)), np.arange(74))
    metric.update(rows + 0.01, np.arange(37))
    metric.update(rows + 0.01, np.arange(37, 74))
    assert metric.compute().mate_ranks.tolist() == [2] * 74


def test_failed_searches_count_against_the_system():
    gallery, gallery_ids, probes, ids = clouds()
    metric = SearchMetric(gallery, gallery_ids)
    metric.update(probes, ids)
    before = metric.compute()
    metric.update_failed(mated=30, unmated=20)
    after = metric.compute()
    assert (after.mated, after.unmated) == (150, 80)
    assert after.rank_k(1) == pytest.approx(before.rank_k(1) * 120 / 150)
    assert after.cmc[-1] == pytest.approx(0.8)  # 30 are never found
    assert after.tpir(40, -1.0) == pytest.approx(0.8)
    threshold = before.threshold_at_fpir[0.1]
    assert after.fpir(threshold) == pytest.approx(before.fpir(threshold) * 60 / 80)  # none is a false positive


def test_all_strangers_failed():
    metric = SearchMetric(np.eye(2), [0, 1])
    metric.update(np.eye(2), [0, 1])
    metric.update_failed(unmated=10)
    figures = metric.compute([0.1])
    assert (figures.threshold_at_fpir, figures.tpir_at_fpir[1]) == ({0.1: -1.0}, {0.1: 1.0})


def test_names_serve_as_identities():
    metric = SearchMetric(np.eye(3), ["eve", "adam", "noah"])
    metric.update(np.eye(3), ["eve", "adam", "stranger"])
    figures = metric.compute()
    assert (figures.rank_k(1), figures.strangers.tolist()) == (1.0, [1.0])


def test_reset_keeps_the_gallery():
    metric = SearchMetric(np.eye(2), [0, 1])
    metric.update([[0.0, 1.0]], [0])
    metric.reset()
    metric.update(np.eye(2), [0, 1])
    assert metric.compute().cmc.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("gallery", "ids", "ranks", "error", "message"),
    [
        pytest.param(np.eye(2), [0], (1,), UsageError, "do not fit", id="an id is missing"),
        pytest.param(np.empty((0, 2)), [], (1,), FacedistillError, "gallery is empty", id="nobody enrolled"),
        pytest.param(np.eye(2), [0, 1], (0,), UsageError, "at least 1", id="rank zero"),
        pytest.param([[np.nan, 1]], [0], (1,), FacedistillError, "NaN", id="NaN template"),
    ],
)
def test_galleries_that_are_refused(gallery, ids, ranks, error, message):
    with pytest.raises(error, match=message):
        SearchMetric(gallery, ids, ranks)


@pytest.mark.parametrize(
    ("probes", "ids", "error", "message"),
    [
        pytest.param(np.eye(2), [0], UsageError, "do not fit", id="an id is missing"),
        pytest.param(np.eye(3), [0, 1, 2], UsageError, "do not fit", id="another embedding size"),
        pytest.param([[np.nan, 1]], [0], FacedistillError, "1 rows of probes", id="NaN probe"),
        pytest.param(np.empty((0, 2)), [], FacedistillError, "nobody to find", id="no probe"),
        pytest.param(np.eye(2), [8, 9], FacedistillError, "nobody to find", id="strangers alone"),
    ],
)
def test_probes_that_are_refused(probes, ids, error, message):
    metric = SearchMetric(np.eye(2), [0, 1])
    with pytest.raises(error, match=message):
        metric.update(probes, ids) or metric.compute()


def test_other_refusals():
    metric = SearchMetric(np.eye(2), [0, 1])
    with pytest.raises(UsageError, match="unmated must be a whole number of at least 0, not -1"):
        metric.update_failed(unmated=-1)
    with pytest.raises(UsageError, match="different galleries"):
        metric.merge(SearchMetric(np.eye(2), [0, 2]))
