"""Errors by group against loops over pairs, and labels against the pictures they are of."""

import io
import json

import numpy as np
import pytest
from drawn_people import embed
from rich.console import Console
from tests.conftest import draw_toy_people

from facedistill.datasets import open_face_set, write_face_set
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.groups import evaluate_groups, group_figures
from facedistill.evaluation.labels import UNKNOWN, Attribute
from facedistill.evaluation.metrics import eer
from facedistill.evaluation.sweep import sweep

PEOPLE, EACH = 30, 4


def drawn(seed=0):
    """People of two countries, of whom those of the second resemble each other; every fourth picture is dark."""
    random = np.random.default_rng(seed)
    people = np.arange(PEOPLE).repeat(EACH)
    country, dark = people % 2, np.arange(len(people)) % EACH == 0
    centres = random.normal(size=(PEOPLE, 16)) + 0.5 * (np.arange(PEOPLE) % 2)[:, None]
    rows = centres[people] + random.normal(size=(len(people), 16)) * (0.3 + 0.7 * dark)[:, None]
    rows /= np.linalg.norm(rows, axis=1)[:, None]
    left, right = np.nonzero(~np.eye(len(people), dtype=bool))
    attributes = {
        "country": Attribute(("A", "B"), country.astype(np.int64), of_person=True),
        "light": Attribute(("bright", "dark"), dark.astype(np.int64), of_person=False),
    }
    return (rows @ rows.T)[left, right], left, right, people, attributes


@pytest.fixture(scope="module")
def result():
    return group_figures(*drawn(), fmr=1e-2, draws=40).to_json()


def listed(name, number):
    """A group's pairs by the stated rules, one by one."""
    scores, left, right, people, attributes = drawn()
    member, of_person = attributes[name].member, attributes[name].of_person
    for score, a, b in zip(scores, left, right, strict=True):
        genuine = people[a] == people[b]
        if member[a] == number and (genuine or not of_person or member[b] == number):
            yield score, genuine, frozenset((int(a), int(b)))


@pytest.mark.parametrize("name", ["country", "light"])
@pytest.mark.parametrize("number", [0, 1])
def test_figures_are_those_of_the_pairs_of_the_group(result, name, number):
    pairs = list(listed(name, number))
    group = drawn()[4][name].groups[number]
    cell = result["attributes"][name]["groups"][group]
    impostors = [(score, who) for score, genuine, who in pairs if not genuine]
    genuine = [(score, who) for score, genuine, who in pairs if genuine]
    assert cell["impostors"] == len({who for _, who in impostors})
    assert cell["genuine"] == len({who for _, who in genuine})
    assert cell["fmr"] == pytest.approx(np.mean([score >= result["threshold"] for score, _ in impostors]))
    assert cell["fnmr"] == pytest.approx(np.mean([score < result["threshold"] for score, _ in genuine]))
    assert cell["eer"] == pytest.approx(eer([score for score, *_ in pairs], [same for _, same, _ in pairs]))
    assert cell["people"] == (15 if name == "country" else 30)
    for metric, (low, high) in cell["ci"].items():
        assert low <= cell[metric] <= high


def test_the_threshold_is_that_of_all_pairs(result):
    scores, left, right, people, _ = drawn()
    impostors = scores[people[left] != people[right]]
    assert np.mean(impostors >= result["threshold"]) <= 1e-2 < np.mean(impostors >= result["threshold"] - 1e-9)
    assert (result["fmr"], result["people"], result["pictures"]) == (1e-2, 30, 120)


def test_worst_and_ratio(result):
    country = result["attributes"]["country"]
    rates = {group: cell["fmr"] for group, cell in country["groups"].items()}
    assert country["worst"]["fmr"] == "B"
    assert country["fmr_ratio"] == pytest.approx(rates["B"] / rates["A"])
    assert result["attributes"]["light"]["worst"]["fnmr"] == "dark"
    assert (country["rule"], result["attributes"]["light"]["rule"]) == ("within", "probe")
    assert json.loads(json.dumps(result)) == result


def test_intervals_at_the_threshold_are_those_of_explicitly_copied_people(result):
    """A person drawn n times is n people: impostor pairs count n * m times, genuine ones n times."""
    scores, left, right, people, _ = drawn()
    chosen = (people[left] % 2 == 0) & (people[right] % 2 == 0)
    scores, a, b = scores[chosen], people[left][chosen] // 2, people[right][chosen] // 2
    wrong = (scores >= result["threshold"]) != (a == b)
    fmr, fnmr = [], []
    for counts in np.random.default_rng(0).multinomial(15, np.full(15, 1 / 15), size=40):
        times = np.where(a == b, counts[a], counts[a] * counts[b])
        copied, same = np.repeat(wrong, times), np.repeat(a == b, times)
        fmr.append(copied[~same].mean())
        fnmr.append(copied[same].mean())
    ci = result["attributes"]["country"]["groups"]["A"]["ci"]
    np.testing.assert_allclose(ci["fmr"], np.percentile(fmr, (2.5, 97.5)), atol=1e-12)
    np.testing.assert_allclose(ci["fnmr"], np.percentile(fnmr, (2.5, 97.5)), atol=1e-12)


def test_small_groups_are_warned_of_and_never_the_worst():
    scores, left, right, people, _ = drawn()
    village = np.where(people < 25, 0, 1)
    village[people == 29] = UNKNOWN
    attributes = {"from": Attribute(("town", "village", "nowhere"), village.astype(np.int64), of_person=True)}
    result = group_figures(scores, left, right, people, attributes, fmr=1e-2, draws=5).to_json()["attributes"]["from"]
    warnings = {group: cell["warning"] for group, cell in result["groups"].items()}
    assert warnings["town"] is None
    assert "too few to say: 4 of 10 people, 96 of 1000 impostor pairs" in warnings["village"]
    assert "no two pictures of one person" in warnings["nowhere"]
    assert (result["groups"]["village"]["ci"], result["unknown"]) == ({}, 4)
    assert [result["groups"]["nowhere"][rate] for rate in ("fmr", "fnmr", "eer")] == [None] * 3
    assert (result["fmr_ratio"], result["worst"]["fmr"]) == (None, None)


def test_too_few_pairs_for_the_rate_take_the_next_larger_one():
    scores, left, right, people, attributes = drawn()
    assert group_figures(scores, left, right, people, attributes, draws=0).fmr == 1e-3  # 6960 impostor pairs
    assert group_figures(scores, left, right, people, attributes, fmr=1e-5, draws=0).fmr == 1e-3


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        pytest.param({"scores": np.full(14280, np.nan)}, FacedistillError, "NaN", id="NaN"),
        pytest.param({"people": np.arange(120)}, FacedistillError, "0 genuine", id="one class"),
        pytest.param({"people": np.zeros(120, int)}, FacedistillError, "0 impostor", id="the other class"),
        pytest.param({"scores": np.zeros(3)}, UsageError, r"\[P\]", id="shapes"),
        pytest.param({"people": np.arange(60).repeat(4)}, UsageError, "member", id="labels of fewer pictures"),
    ],
)
def test_refusals(change, error, message):
    given = dict(zip(("scores", "left", "right", "people", "attributes"), drawn(), strict=True))
    with pytest.raises(error, match=message):
        group_figures(**given | change)


def test_a_face_set_on_disk_by_its_own_labels(tmp_path):
    write_face_set(tmp_path, draw_toy_people(12, 3), extension=".png")
    rows = [f"{index},{'ab'[index // 3 % 2]},[red]{index % 3}" for index in range(36)]
    (tmp_path / "labels.csv").write_text("\n".join(["index,town,take", *rows]))
    groups = evaluate_groups(embed, open_face_set(tmp_path), tmp_path, "auto", resolutions=(8,))
    result = groups.to_json()
    assert list(result["attributes"]) == ["resolution", "town", "take"]
    assert list(result["attributes"]["resolution"]["groups"]) == ["native", "8", "matched 8"]
    assert result["attributes"]["resolution"]["groups"]["native"]["fmr"] <= result["fmr"] == 1e-2  # 594 impostor pairs
    both = sweep(embed, open_face_set(tmp_path), (8,), bootstrap=0).both["8"]
    assert result["attributes"]["resolution"]["groups"]["matched 8"]["eer"] == pytest.approx(both.eer)
    assert result["attributes"]["town"]["rule"] == "within"
    assert result["attributes"]["take"]["rule"] == "probe"
    console = Console(width=200, record=True, file=io.StringIO())
    (table,) = groups.tables("toy")
    console.print(table)
    text = console.export_text()
    assert "[red]1" in text
    assert "too few to say: 6 of 10 people" in text


def test_a_column_that_bears_the_name_of_the_degraded_probes_is_refused(tmp_path):
    write_face_set(tmp_path, draw_toy_people(4, 2), extension=".png")
    (tmp_path / "labels.csv").write_text("\n".join(["index,resolution", *(f"{index},low" for index in range(8))]))
    with pytest.raises(UsageError, match="rename it"):
        evaluate_groups(embed, open_face_set(tmp_path), tmp_path, "auto", resolutions=(8,))
