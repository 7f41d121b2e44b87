"""All pairs in tiles on several threads, against every pair by itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation import VerificationMetric, score_all_pairs, score_cross
from facedistill.evaluation.metrics import Ranking

CORNERS = np.array([[3.0, 0.0], [0.0, 0.5], [-1.0, 0.0]])  # their cosines are exact: -1, 0 and 1


def slow_pairs(embeddings, ids):
    """Cosines and truths of i < j, one by one in float64."""
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    pairs = [(float(unit[i] @ unit[j]), ids[i] == ids[j]) for i in range(len(ids)) for j in range(i + 1, len(ids))]
    scores, same = zip(*pairs, strict=True)
    return np.array(scores), np.array(same)


def agrees(figures, scores, same):
    curve = Ranking(scores, same).curve()
    assert (figures.eer, figures.auc) == (curve.eer(), curve.auc())
    assert (figures.genuine, figures.impostors) == (np.count_nonzero(same), np.count_nonzero(~same))


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=40, deadline=None)
def test_every_two_pictures_are_compared_once(seed, exact):
    random = np.random.default_rng(seed)
    ids = np.concatenate(([0, 0, 1], random.integers(0, 4, 12)))
    embeddings = CORNERS[random.integers(0, 3, len(ids))]
    figures = score_all_pairs(embeddings, ids, VerificationMetric(exact=exact)).compute()
    agrees(figures, *slow_pairs(embeddings, ids))


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=40, deadline=None)
def test_every_probe_meets_every_entry(seed, exact):
    random = np.random.default_rng(seed)
    ids = np.concatenate(([0, 0, 1], random.integers(0, 4, 12)))
    embeddings = CORNERS[random.integers(0, 3, len(ids))]
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    probes = np.arange(len(ids)) % 3 == 0  # two people at least are on either side
    figures = score_cross(
        embeddings[probes], ids[probes], embeddings[~probes], ids[~probes], VerificationMetric(exact=exact)
    )
    truths = ids[probes][:, None] == ids[~probes]
    if truths.all() or not truths.any():
        return
    agrees(figures.compute(), (unit[probes] @ unit[~probes].T).ravel(), truths.ravel())


def many(people=400, pictures=2500, size=8):
    random = np.random.default_rng(5)
    ids = random.integers(0, people, pictures)
    embeddings = random.normal(size=(people, size))[ids] + random.normal(size=(pictures, size))
    return embeddings.astype(np.float32), ids


def test_pictures_of_many_tiles():
    embeddings, ids = many()
    figures = score_all_pairs(embeddings, ids, VerificationMetric(exact=True), threads=3).compute([1e-2])
    unit = embeddings / np.linalg.norm(embeddings.astype(float), axis=1, keepdims=True)
    left, right = np.triu_indices(len(ids), 1)
    scores, same = (unit @ unit.T)[left, right], (ids[:, None] == ids)[left, right]
    exact = Ranking(scores, same).curve()
    assert (figures.genuine, figures.impostors) == (np.count_nonzero(same), np.count_nonzero(~same))
    # float32 products may swap neighbours of three million scores, and no more.
    assert figures.eer == pytest.approx(exact.eer(), abs=2e-5)
    assert figures.auc == pytest.approx(exact.auc(), abs=1e-6)
    assert figures.threshold_at_fmr[1e-2] == pytest.approx(exact.threshold_at(1e-2), abs=1e-6)


def test_threads_names_and_files_change_nothing(tmp_path):
    embeddings, ids = many()
    names = np.array([f"person {i}" for i in ids])
    np.save(tmp_path / "rows.npy", embeddings)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    one = score_all_pairs(embeddings, ids, VerificationMetric(), threads=1).compute()
    three = score_all_pairs(mapped, names, VerificationMetric(), threads=3).compute()
    assert (one.genuine, one.impostors) == (three.genuine, three.impostors)
    # People are put in the order of their names, so a product may round otherwise and change its bin.
    assert one.eer == pytest.approx(three.eer, abs=1e-4)


def test_cross_is_the_whole_less_the_parts():
    embeddings, ids = many()
    sides = np.arange(len(ids)) < 1100
    whole = score_all_pairs(embeddings, ids, VerificationMetric(bins=64))
    parts = VerificationMetric(bins=64)
    for side in (sides, ~sides):
        score_all_pairs(embeddings[side], ids[side], parts)
    score_cross(embeddings[sides], ids[sides], embeddings[~sides], ids[~sides], parts, threads=2)
    one, other = whole.compute(), parts.compute()
    assert (one.genuine, one.impostors) == (other.genuine, other.impostors)
    assert one.eer == pytest.approx(other.eer, abs=1e-5)


def test_what_the_metric_holds_already_stays():
    metric = VerificationMetric()
    metric.update([0.5], True)
    score_all_pairs(np.eye(3), [0, 1, 2], metric)
    assert (metric.compute().genuine, metric.compute().impostors) == (1, 3)


class Recording:
    """A metric that counts its updates and fails at one of them."""

    def __init__(self, seen):
        self.seen = seen

    def empty(self):
        return Recording(self.seen)

    def update(self, scores, same):
        self.seen.append((len(scores), same))
        if len(self.seen) == 2:
            raise FacedistillError("enough")

    def merge(self, other):
        raise AssertionError(f"{other} is merged after a failure")


def test_a_failure_ends_all_threads():
    rows = np.random.default_rng(0).normal(size=(5000, 2))
    seen = []
    with pytest.raises(FacedistillError, match="enough"):
        score_all_pairs(rows, np.arange(5000), Recording(seen), threads=2)
    assert len(seen) < 15  # tiles


@pytest.mark.parametrize(
    ("embeddings", "ids", "error", "message"),
    [
        pytest.param([[1.0, 0], [np.nan, 0]], [0, 1], FacedistillError, "row 1", id="NaN row"),
        pytest.param([[1.0, 0], [0, 0]], [0, 1], FacedistillError, "row 1", id="zero row"),
        pytest.param([[1.0, 0], [0, 1]], [0], UsageError, "1 identities for 2 rows", id="an identity is missing"),
        pytest.param([[1.0, 0], [0, 1]], [[0, 1]], UsageError, "must be", id="identities of two axes"),
        pytest.param([1.0, 0.0], [0, 1], UsageError, "must be embeddings", id="one axis"),
        pytest.param([[1, 0], [0, 1]], [3, 3], FacedistillError, "1 genuine and 0 impostor", id="one person"),
        pytest.param([[1, 0]], [3], FacedistillError, "0 genuine and 0 impostor", id="one picture"),
    ],
)
def test_refusals(embeddings, ids, error, message):
    with pytest.raises(error, match=message):
        score_all_pairs(embeddings, ids, VerificationMetric()).compute()


def test_sides_of_different_embedding_sizes_are_refused():
    with pytest.raises(UsageError, match="different embedding sizes"):
        score_cross(np.eye(2), [0, 1], np.eye(3), [0, 1, 2], VerificationMetric())
