"""MegaFace-style search against plain loops; what fails counts against the model."""

import json

import numpy as np
import pytest
from drawn_people import embed, embedded, figures_of, result_of, spoil
from generated_sets import copy_lists, write_megaface
from slow_oracles import cosine, flat, rates_at

from facedistill.datasets.megaface import read_megaface
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation import evaluate
from facedistill.evaluation.protocols import megaface
from facedistill.variance import degrade

FARS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)


def expected(made, lost=(), rows=None):
    searched = [embedded(crop if rows is None else degrade(crop, rows)) for _path, _person, crop in made.probes]
    probes = [(person, embedded(crop) if path not in lost else None) for path, person, crop in made.probes]
    others = {path: embedded(crop) for path, crop in made.distractors if path not in lost}
    against = {
        (index, path): cosine(searched[index], other)
        for index, (_person, vector) in enumerate(probes)
        for path, other in others.items()
        if vector is not None
    }
    searches = [
        (index, cosine(searched[index], mate) if vector is not None and mate is not None else None)
        for index, (person, vector) in enumerate(probes)
        for number, (other, mate) in enumerate(probes)
        if person == other and index != number
    ]
    rank1 = {
        str(size): sum(
            score is not None and all(score > against[index, path] for path in paths if path in others)
            for index, score in searches
        )
        / len(searches)
        for size, paths in made.lists.items()
    }
    largest = max(made.lists)
    impostors = [score for (_index, path), score in against.items() if path in made.lists[largest]]
    genuine = [score for _index, score in searches if score is not None]
    tar = rates_at(genuine, impostors, FARS, len(searches))
    listed = {path for paths in made.lists.values() for path in paths}
    failed = sum(vector is None for _person, vector in probes)
    failed_distractors = len(listed - set(others))
    return {
        "rank1": rank1,
        "tar_at_far": tar,
        "tar_error": dict.fromkeys(tar, 0.0),
        "distractors": {str(size): sum(path in others for path in paths) for size, paths in made.lists.items()},
        "people": len({person for _path, person, _crop in made.probes}),
        "probes": len(probes),
        "searches": len(searches),
        "failed_probes": failed,
        "failed_distractors": failed_distractors,
        "fte": (failed + failed_distractors) / (len(probes) + len(listed)),
        "failures": {
            "pictures": len(probes) + len(listed),
            "unreadable": failed + failed_distractors,
            "no_face": 0,
        },
    }


@pytest.mark.parametrize("seed", [0, 1])
def test_the_figures_are_those_of_plain_loops(seed, tmp_path):
    made = write_megaface(tmp_path, seed=seed)
    found = figures_of(embed, f"megaface:{tmp_path}")
    wanted = expected(made)
    assert list(found["tar_at_far"]) == ["0.001", "0.01", "0.1"]
    assert 0 < wanted["rank1"]["100"] < wanted["rank1"]["10"] < 1
    assert flat(found) == pytest.approx(flat(wanted), abs=1e-9)


def test_the_face_looked_for_is_degraded_as_plain_loops_have_it(tmp_path):
    made = write_megaface(tmp_path)
    lost = {made.probes[1][0], made.lists[10][0]}
    for path in lost:
        spoil(tmp_path / ("facescrub" if path == made.probes[1][0] else "megaface") / path)
    result = result_of(embed, f"megaface:{tmp_path}", resolutions=(10, 7))
    native = result.to_json()
    sweep = native.pop("sweep")
    assert flat(native) == pytest.approx(flat(expected(made, lost)), abs=1e-9)
    for rows in (10, 7):
        wanted = expected(made, lost, rows)
        cell = {part: wanted[part] for part in ("rank1", "tar_at_far", "tar_error")}
        assert flat(sweep[str(rows)]) == pytest.approx(flat(cell), abs=1e-9)
    titles = [str(table.title) for table in result.tables("net")]
    assert [title.partition(", ")[2] for title in titles[1:]] == ["probes at 10 rows", "probes at 7 rows"]


def test_pictures_that_fail_are_counted_and_cost(tmp_path):
    made = write_megaface(tmp_path)
    lost = {made.probes[1][0], made.lists[10][0], made.lists[100][3]}
    for path in lost:
        spoil(tmp_path / ("facescrub" if path == made.probes[1][0] else "megaface") / path)
    result = result_of(embed, f"megaface:{tmp_path}")
    found = result.to_json()
    assert flat(found) == pytest.approx(flat(expected(made, lost)), abs=1e-9)
    assert found["failed_probes"] == 1
    assert found["distractors"]["10"] == 9
    (table,) = result.tables("net")
    assert "1 probes failed and are found nowhere, 2 distractors failed" in str(table.caption)


def test_more_scores_than_are_kept_are_counted_within_the_stated_error(tmp_path, monkeypatch):
    made = write_megaface(tmp_path)
    exact = expected(made)
    monkeypatch.setattr(megaface, "_KEPT", 0)
    found = figures_of(embed, f"megaface:{tmp_path}")
    assert found["rank1"] == pytest.approx(exact["rank1"], abs=1e-9)
    for far, tar in found["tar_at_far"].items():
        assert tar - 1e-12 <= exact["tar_at_far"][far] <= tar + found["tar_error"][far] + 1e-12
    kept = figures_of(embed, f"megaface:{tmp_path}", exact=True)
    assert flat(kept) == pytest.approx(flat(exact), abs=1e-9)


def test_a_distractor_as_near_as_the_mate_beats_it(tmp_path):
    """A net that gives everybody the same embedding finds nobody."""
    write_megaface(tmp_path)
    found = figures_of(lambda crops: np.ones((len(crops), 4), np.float32), f"megaface:{tmp_path}")
    assert found["rank1"] == {"10": 0.0, "100": 0.0}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return write_megaface(tmp_path_factory.mktemp("megaface"), sizes=(10, 20))


@pytest.fixture
def lists(published, tmp_path):
    """The set's folder, with lists of its own."""
    return copy_lists(published, tmp_path, "templatelists").root


PROBES = "facescrub_features_list.json"
TEN = "megaface_features_list.json_10_1"


def edited(change):
    def edit(text):
        content = json.loads(text)
        change(content)
        return json.dumps(content)

    return edit


@pytest.mark.parametrize(
    ("name", "change", "error", "message"),
    [
        pytest.param(PROBES, lambda t: t[:40], UsageError, "no JSON", id="cut"),
        pytest.param(PROBES, lambda _: "[" * 100_000, UsageError, "no JSON", id="nested without end"),
        pytest.param(PROBES, lambda _: "[1]", UsageError, "must hold", id="another content"),
        pytest.param(PROBES, edited(lambda c: c.pop("id")), UsageError, '"id"', id="no ids"),
        pytest.param(PROBES, edited(lambda c: c["id"].pop()), FacedistillError, "24 paths but 23 ids", id="an id less"),
        pytest.param(
            PROBES,
            edited(lambda c: c.update(id=[str(i) for i in range(24)])),
            FacedistillError,
            "no person has two probes",
            id="everybody once",
        ),
        pytest.param(
            TEN, edited(lambda c: c["path"].pop()), FacedistillError, "holds 9 .* implies 10", id="a path less"
        ),
        pytest.param(TEN, edited(lambda c: c["path"].append(c["path"][0])), FacedistillError, "twice", id="twice"),
        pytest.param(TEN, edited(lambda c: c["path"].append("../x")), UsageError, "outside", id="a way out"),
        pytest.param(TEN, edited(lambda c: c["path"].append("/etc/x")), UsageError, "outside", id="from the root"),
        pytest.param(TEN, edited(lambda c: c["path"].append(None)), UsageError, "must hold", id="no name"),
        pytest.param(
            TEN,
            edited(lambda c: c["path"].__setitem__(0, "no.jpg")),
            FacedistillError,
            r"no\.jpg",
            id="no such picture",
        ),
    ],
)
def test_lists_that_are_wrong_are_refused(name, change, error, message, lists):
    path = lists / "templatelists" / name
    path.write_text(change(path.read_text()))
    with pytest.raises(error, match=message) as caught:
        evaluate(embed, f"megaface:{lists}")
    assert "\n" not in str(caught.value)


def test_lists_that_are_missing_are_a_wrong_call(lists):
    for path in (lists / "templatelists").glob("megaface*"):
        path.unlink()
    with pytest.raises(UsageError, match="no list of distractors"):
        read_megaface(lists)
    (lists / "templatelists" / PROBES).unlink()
    with pytest.raises(UsageError, match="cannot read the list"):
        read_megaface(lists)


@pytest.mark.parametrize(("folder", "message"), [("facescrub", "any probe"), ("megaface", "any of the 10 distractors")])
def test_damaged_pictures_only(folder, message, tmp_path):
    write_megaface(tmp_path, sizes=(10,))
    for path in (tmp_path / folder).rglob("*.*"):
        if path.is_file():
            spoil(path)
    with pytest.raises(FacedistillError, match=message):
        evaluate(embed, f"megaface:{tmp_path}")
