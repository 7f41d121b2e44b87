"""The sweep's cells against the plain functions, its bootstrap against explicit resampling."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation import identify, sweep, verify_pairs
from facedistill.evaluation.metrics import eer
from facedistill.evaluation.sweep import sweep_pairs
from facedistill.evaluation.trials import MOST_PICTURES, all_pairs, draw
from facedistill.variance import degrade

RESOLUTIONS = (16, 8)
CELL = {"accuracy", "accuracy_std", "eer", "auc", "tar_at_far", "rank1", "fte", "ci"}


@dataclass(frozen=True)
class Picture:
    image: np.ndarray
    label: int
    key: str


class Pictures:
    """Noise people: everybody is a random pattern of 8x8 blocks, every picture of him adds noise."""

    def __init__(self, people=10, each=4, seed=0):
        random = np.random.default_rng(seed)
        blocks = random.normal(size=(people, 8, 8, 3)).repeat(each, axis=0)
        blocks = blocks + 2.5 * random.normal(size=blocks.shape)
        self.images = np.clip(128 + 18 * blocks.repeat(4, axis=1).repeat(4, axis=2), 0, 255).astype(np.uint8)
        self.labels = np.arange(people, dtype=np.int64).repeat(each) * 3 + 5

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return Picture(self.images[index], int(self.labels[index]), str(index))


def embed(crops):
    """A picture's pixels, their mean removed."""
    rows = crops.reshape(len(crops), -1).astype(np.float32)
    return rows - 128


def embed_all(faces, rows=None):
    images = [image if rows is None else degrade(image, rows) for image in faces.images]
    return embed(np.stack(images)).astype(np.float64)


@pytest.fixture(scope="module")
def faces():
    return Pictures()


@pytest.fixture(scope="module")
def table(faces):
    return sweep(embed, faces, RESOLUTIONS, failed=10, bootstrap=100).to_json()


def test_layout(table):
    assert set(table) == {"native", "16", "8", "both"}
    assert set(table["both"]) == {"native", "16", "8"}
    assert table["both"]["native"] == table["native"]
    for cell in [table["native"], table["16"], table["8"], *table["both"].values()]:
        assert set(cell) == CELL
        assert set(cell["ci"]) == {"eer", "accuracy", "rank1"}
        assert cell["fte"] == 10 / 50
        assert set(cell["tar_at_far"]) <= {"0.1", "0.01", "0.001", "0.0001"}
    assert json.loads(json.dumps(table)) == table


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("rows", [None, 8])
def test_cells_are_those_of_every_ordered_pair(faces, table, rows, both):
    probes, gallery = embed_all(faces, rows), embed_all(faces, rows if both else None)
    left, right = np.nonzero(~np.eye(len(faces), dtype=bool))
    sides = np.stack((faces.labels[left], faces.labels[right]), axis=1)
    same = sides[:, 0] == sides[:, 1]
    whole = verify_pairs(probes[left], gallery[right], same, identities=sides)
    cell = (table["both"] if both else table)["native" if rows is None else str(rows)]
    assert cell["eer"] == pytest.approx(whole.eer, abs=1e-9)
    assert cell["auc"] == pytest.approx(whole.auc, abs=1e-9)
    for far, tar in cell["tar_at_far"].items():
        assert tar == pytest.approx(whole.tar_at_far[float(far)])
    first = np.arange(0, len(faces), 4)
    rest = np.setdiff1d(np.arange(len(faces)), first)
    searched = identify(gallery[first], faces.labels[first], probes[rest], faces.labels[rest])
    assert cell["rank1"] == searched.rank_k[1]


def test_less_resolution_is_harder_and_the_intervals_hold_the_figures(table):
    assert table["native"]["eer"] < table["8"]["eer"]
    for cell in (table["native"], table["8"]):
        for name, (low, high) in cell["ci"].items():
            assert low <= cell[name] <= high


def test_same_seed_same_figures_and_another_seed_moves_only_the_intervals(faces, table):
    assert sweep(embed, faces, RESOLUTIONS, failed=10, bootstrap=100).to_json() == table
    other = sweep(embed, faces, RESOLUTIONS, failed=10, bootstrap=100, seed=1).to_json()
    assert other["8"]["ci"] != table["8"]["ci"]
    assert other["8"] | {"ci": None} == table["8"] | {"ci": None}


def test_labels_and_batches_of_other_kinds_change_nothing(faces, table):
    renamed = Pictures()
    renamed.labels = -renamed.labels // 3 + 900
    plain = sweep(embed, renamed, RESOLUTIONS, failed=10, bootstrap=0).to_json()
    assert plain["8"]["eer"] == table["8"]["eer"]
    assert plain["8"]["rank1"] == table["8"]["rank1"]
    assert plain["8"]["ci"] == {}


def test_everything_is_embedded_once(faces):
    seen = []

    def counting(crops):
        seen.append(len(crops))
        return embed(crops)

    sweep(counting, faces, RESOLUTIONS, bootstrap=0)
    assert sum(seen) == 3 * len(faces)


def test_a_replicate_weighs_pairs_as_copies_of_people_that_never_meet_their_own_pictures():
    """Copies are made explicitly: a person drawn n times becomes n people who are not compared with each other."""
    people = np.arange(5).repeat(3)
    random = np.random.default_rng(0)
    scores = random.integers(0, 6, (15, 15)) / 6 + 0.3 * (people[:, None] == people)
    counts = np.array([2, 0, 1, 3, 1])
    trial = all_pairs(people, ordered=True, draws=counts[None])
    weighted = eer(scores[trial.left, trial.right], trial.same, next(trial.tables())[trial.units])
    pictures = np.concatenate([np.tile(np.flatnonzero(people == who), n) for who, n in enumerate(counts)])
    copies = np.repeat(np.arange(counts.sum()), 3)
    copied = [
        (scores[pictures[i], pictures[j]], copies[i] == copies[j])
        for i in range(len(pictures))
        for j in range(len(pictures))
        if (copies[i] == copies[j] and i != j) or people[pictures[i]] != people[pictures[j]]
    ]
    values, same = np.array(copied).T
    assert weighted == pytest.approx(eer(values, same.astype(bool)), abs=1e-12)


def test_draws_are_of_as_many_as_there_are():
    counts = draw(7, 50, seed=3)
    assert counts.shape == (50, 7)
    assert (counts.sum(axis=1) == 7).all()
    with pytest.raises(UsageError, match="bootstrap must be a whole number from 0"):
        draw(7, -1, seed=0)


def test_a_listed_pair_sweep_follows_the_list(faces):
    random = np.random.default_rng(0)
    left = np.tile(np.arange(0, 40, 2), 2)
    right = np.concatenate((np.arange(1, 40, 2), (np.arange(0, 40, 2) + 9) % 40))
    shuffle = random.permutation(40)
    left, right = left[shuffle], right[shuffle]
    same = faces.labels[left] == faces.labels[right]
    table = sweep_pairs(embed, faces.images[left], faces.images[right], same, RESOLUTIONS, bootstrap=20).to_json()
    for rows in (None, 8):
        expected = verify_pairs(embed_all(faces)[left], embed_all(faces, rows)[right], same)
        cell = table["native" if rows is None else str(rows)]
        assert set(cell) == CELL
        assert cell["accuracy"] == pytest.approx(expected.accuracy)
        assert cell["eer"] == pytest.approx(expected.eer, abs=1e-9)
        assert cell["rank1"] is None
        assert set(cell["ci"]) == {"eer", "accuracy"}
    degraded = embed_all(faces, 8)
    both = verify_pairs(degraded[left], degraded[right], same)
    assert table["both"]["8"]["auc"] == pytest.approx(both.auc, abs=1e-9)
    assert table["both"]["8"]["auc"] != table["8"]["auc"]


class Nobody(Pictures):
    def __init__(self, labels):
        super().__init__(len(labels), 1)
        self.labels = np.array(labels, dtype=np.int64)


@pytest.mark.parametrize(
    ("labels", "options", "error", "message"),
    [
        pytest.param([], {}, FacedistillError, "no picture that can be read", id="empty set"),
        pytest.param([1, 2, 3, 4], {}, FacedistillError, "0 genuine", id="nobody twice"),
        pytest.param([1, 1, 1, 1], {}, FacedistillError, "0 impostor", id="one person"),
        pytest.param([1, 1, 2, 2, 3, 3], {}, FacedistillError, "four people", id="three people"),
        pytest.param(
            [1, 1, 2, 2],
            {"failed": -1},
            UsageError,
            "failed must be a whole number of at least 0",
            id="negative failures",
        ),
        pytest.param([1, 1, 2, 2] * 2 + [3, 4] * 2, {"resolutions": (8, 8)}, UsageError, "twice", id="repeated"),
        pytest.param([1, 1, 2, 2] * 2 + [3, 4] * 2, {"resolutions": (99,)}, UsageError, "shrunk", id="enlargement"),
    ],
)
def test_refusals(labels, options, error, message):
    with pytest.raises(error, match=message):
        sweep(embed, Nobody(labels), **{"resolutions": (8,), "bootstrap": 2} | options)


def test_too_large_a_set_is_refused_before_any_memory_is_taken():
    with pytest.raises(UsageError, match=f"at most {MOST_PICTURES}"):
        all_pairs(np.zeros(MOST_PICTURES + 1, dtype=np.int64), True, np.zeros((0, 1), dtype=np.int64))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        pytest.param(lambda crops: np.full((len(crops), 4), np.nan), "NaN", id="NaN embeddings"),
        pytest.param(lambda crops: np.zeros((len(crops), 4)), "zero", id="zero embeddings"),
        pytest.param(lambda _: np.ones((1, 4)), r"shape \(1, 4\)", id="one answer for all"),
        pytest.param(lambda crops: np.ones(len(crops)), "shape", id="flat answer"),
    ],
)
def test_a_broken_model_is_named(faces, broken, message):
    with pytest.raises(FacedistillError, match=message):
        sweep(broken, faces, (8,), bootstrap=0)
