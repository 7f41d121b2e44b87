"""Closed-set identification against a search written out in full."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation import identify


def slow_rank(gallery, gallery_ids, probe, probe_id):
    def cosine(row):
        return row @ probe / np.linalg.norm(row) / np.linalg.norm(probe)

    best = {person: max(cosine(row) for row in gallery[gallery_ids == person]) for person in set(gallery_ids.tolist())}
    return sum(score >= best[probe_id] - 1e-9 for score in best.values())


@given(st.integers(0, 10_000), st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_ranks_are_those_of_a_full_search(seed, people):
    random = np.random.default_rng(seed)
    gallery_ids = np.concatenate((np.arange(people), random.integers(0, people, 5))) * 7 - 3
    # Rows from a few directions of equal length: many exact ties.
    corners = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    gallery, probes = corners[random.integers(0, 3, len(gallery_ids))], corners[random.integers(0, 3, 12)]
    probe_ids = random.choice(gallery_ids, 12)
    result = identify(gallery, gallery_ids, probes, probe_ids, ranks=(1, 2, 50))
    slow = [slow_rank(gallery, gallery_ids, p, i) for p, i in zip(probes, probe_ids, strict=True)]
    assert result.ranks.tolist() == slow
    assert result.rank_k == {k: np.mean(np.array(slow) <= k) for k in (1, 2, 50)}
    assert result.cmc.shape == (people,)
    assert result.cmc[0] == pytest.approx(result.rank_k[1])
    assert result.cmc[-1] == pytest.approx(1.0)


def test_a_constant_embedding_earns_nothing():
    result = identify(np.ones((4, 3)), [0, 1, 2, 3], np.ones((4, 3)), [0, 1, 2, 3], ranks=(1, 3, 4))
    assert result.rank_k == {1: 0.0, 3: 0.0, 4: 1.0}


def test_the_best_of_several_templates_counts():
    gallery = [[1.0, 0.0], [0.0, 1.0], [0.7, 0.7]]
    assert identify(gallery, [5, 5, 9], [[0.0, 2.0]], [5]).rank_k == {1: 1.0, 5: 1.0, 10: 1.0}


def test_probes_beyond_one_block_are_all_ranked():
    people = np.arange(1500)
    rows = np.stack((np.cos(people / 1000), np.sin(people / 1000)), axis=1)
    assert identify(rows, people, rows, people).rank_k[1] == 1.0


@pytest.mark.parametrize(
    ("gallery_ids", "probe_ids", "options", "error", "message"),
    [
        pytest.param([0, 1], [0, 7], {}, FacedistillError, "1 of 2 probes show a person who is not", id="no mate"),
        pytest.param([0], [0, 1], {}, UsageError, "do not fit", id="ids too few"),
        pytest.param([0, 1], [0, 1], {"ranks": (0,)}, UsageError, "at least 1", id="rank zero"),
    ],
)
def test_refusals(gallery_ids, probe_ids, options, error, message):
    with pytest.raises(error, match=message):
        identify(np.eye(2), gallery_ids, np.eye(2), probe_ids, **options)


def test_nobody_to_identify():
    with pytest.raises(FacedistillError, match="no probe"):
        identify(np.eye(2), [0, 1], np.empty((0, 2)), [])
