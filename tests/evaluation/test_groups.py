"""Errors by group against loops over pairs, and labels against the pictures they are of."""

import io
import json

import numpy as np
import pytest
from rich.console import Console
from tests.conftest import draw_toy_people

from facedistill.datasets import open_face_set, write_face_set
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.groups import evaluate_groups, group_figures
from facedistill.evaluation.labels import UNKNOWN, Attribute, attributes_of, find_labels, read_labels
from facedistill.evaluation.metrics import eer

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


@pytest.mark.parametrize(
    ("name", "values", "groups", "member"),
    [
        pytest.param("hat", ["no", "yes", "", "no"], ("no", "yes"), [0, 1, -1, 0], id="words"),
        pytest.param("lamps", ["10", "2", "2", "10"], ("2", "10"), [1, 0, 0, 1], id="few numbers are kinds"),
        pytest.param(
            "yaw", ["-50", "3", "15", "nan"], ("below 15", "15 to 30", "from 45"), [2, 0, 1, -1], id="yaw by its size"
        ),
        pytest.param("age", [17.9, 30, 30, 61], ("below 18", "30 to 45", "from 60"), [0, 1, 1, 2], id="age"),
        pytest.param(
            "noise",
            ["1", "2", "3", "4", "5", "6", "7", "8", ""],
            ("below 2.75", "2.75 to 4.5", "4.5 to 6.25", "from 6.25"),
            [0, 0, 1, 1, 2, 2, 3, 3, -1],
            id="quartiles",
        ),
        pytest.param("sunglasses", [True, False, None, True], ("False", "True"), [1, 0, -1, 1], id="yes or no"),
        pytest.param("empty", ["", "", ""], (), [-1, -1, -1], id="nothing known"),
    ],
)
def test_columns_become_groups(name, values, groups, member):
    found = attributes_of({name: values}, np.arange(len(values)))[name]
    assert (found.groups, found.member.tolist()) == (groups, member)


def test_ancestry_is_the_heaviest_weight_and_traits_are_told_from_conditions():
    columns = {
        "ancestry_x": [0.6, 0.6, 0.1, 0.1],
        "ancestry_y": [0.4, 0.4, 0.9, 0.9],
        "light": ["sun", "lamp", "sun", "sun"],
        "age": [29.5, 30.5, 50, 51],
        "town": ["a", "", "b", "b"],
    }
    found = attributes_of(columns, np.array([0, 0, 1, 1]))
    assert (found["ancestry"].groups, found["ancestry"].member.tolist()) == (("x", "y"), [0, 0, 1, 1])
    assert {name for name, attribute in found.items() if attribute.of_person} == {"ancestry", "age", "town"}


def test_a_column_of_names_is_no_label():
    with pytest.raises(UsageError, match="file has 60 different values"):
        attributes_of({"file": [f"{number}.jpg" for number in range(60)]}, np.arange(60))


KEYS = {"a/1.png": 0, "a/2.png": 1, "b/1.png": 2}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("key,hat\nb/1.png,no\na/1.png,yes\na/2.png,\n", id="by key, in any order"),
        pytest.param("index,hat\n2,no\n0,yes\n1,\n", id="by index"),
        pytest.param("hat,key\r\nno,b/1.png\r\n\r\nyes,a/1.png\r\n,a/2.png\r\n", id="another writer's CSV"),
        pytest.param('\ufeffkey,hat\n"b/1.png","no"\na/1.png,yes\na/2.png,\n', id="a spreadsheet's byte order mark"),
    ],
)
def test_a_csv_is_matched_with_the_pictures(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    assert read_labels(path, KEYS, np.array([0, 0, 1])) == {"hat": ["yes", "", "no"]}


def test_a_row_of_a_damaged_picture_is_no_error(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("key,hat\nb/1.png,no\na/1.png,yes\na/2.png,no\nb/2.png,no\n")
    assert read_labels(path, KEYS, np.array([0, 0, 1, 1]))["hat"] == ["yes", "no", "no", None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "0 bytes", id="empty"),
        pytest.param("hat\nyes\n", "needs key or index", id="no key"),
        pytest.param("key\na/1.png\n", "needs key or index and labels", id="no label"),
        pytest.param("key,hat,hat\n", "each once", id="a name twice"),
        pytest.param("key,hat\na/1.png,yes\na/2.png,no\n", r"no row for 1 \(b/1.png\)", id="a picture without a row"),
        pytest.param(
            "key,hat\na/1.png,x\na/2.png,x\nb/1.png,x\nc,x\n", r"1 \(c\) of its rows match no", id="a stranger"
        ),
        pytest.param("index,hat\n0,x\n1,x\n3,x\n", r"1 \(3\) of its rows match no picture", id="an index too large"),
        pytest.param("key,hat\na/1.png,x\na/1.png,x\n", r"more than one row for 1 \(a/1.png\)", id="a row twice"),
        pytest.param("key,hat\na/1.png\n", "1 rows have not 2 cells.*row 2", id="a cell is missing"),
        pytest.param('key,hat\n"a/1.png,x\n', "cannot be read as CSV", id="a quote without end"),
        pytest.param(b"\xff\xfe\x00", "cannot be read as CSV", id="no text"),
    ],
)
def test_wrong_labels_are_one_line(tmp_path, text, message):
    path = tmp_path / "labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(FacedistillError, match=message) as result:
        read_labels(path, KEYS, np.array([0, 0, 1]))
    assert "\n" not in str(result.value)


def write_parquet(path, **changed):
    pyarrow, parquet = (pytest.importorskip(name) for name in ("pyarrow", "pyarrow.parquet"))
    columns = {"identity": [0, 0, 1], "age": [20.0, 21.0, 50.0], "gender": [0.1, 0.1, 0.9], "yaw": [0.0, 40.0, 5.0]}
    columns |= {"ancestry_african": [1.0, 1.0, 0.0], "ancestry_asian": [0.0] * 3, "ancestry_european": [0.0, 0.0, 1.0]}
    columns |= {
        "light": ["sun"] * 3,
        "glasses": ["oval", "none", "cat"],
        "occlusion": ["none"] * 3,
        "landmarks": [[1.0]] * 3,
    }
    kept = {name: values for name, values in (columns | changed).items() if values is not None}
    parquet.write_table(pyarrow.table(kept), path)


def test_labels_of_a_synthetic_set(tmp_path):
    write_parquet(tmp_path / "labels.parquet")
    path = find_labels("auto", tmp_path)
    found = attributes_of(read_labels(path, {}, np.array([0, 0, 1])), np.array([0, 0, 1]))
    assert set(found) == {"age", "gender", "ancestry", "yaw", "light", "glasses", "occlusion"}
    assert found["glasses"].groups == ("none", "worn")
    assert found["ancestry"].member.tolist() == [0, 0, 2]


@pytest.mark.parametrize(
    ("changed", "people", "message"),
    [
        pytest.param({"light": None, "yaw": None}, [0, 0, 1], "lacks the columns yaw, light", id="missing columns"),
        pytest.param({}, [0, 1, 1], "another face set", id="other people"),
        pytest.param({}, [0, 0], "another face set: 3 rows for 2", id="another number of pictures"),
    ],
)
def test_a_parquet_file_of_something_else(tmp_path, changed, people, message):
    write_parquet(tmp_path / "labels.parquet", **changed)
    with pytest.raises(UsageError, match=message):
        read_labels(tmp_path / "labels.parquet", {}, np.array(people))


def test_a_truncated_parquet_file_is_named(tmp_path):
    write_parquet(tmp_path / "labels.parquet")
    whole = (tmp_path / "labels.parquet").read_bytes()
    (tmp_path / "labels.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FacedistillError, match="may be truncated"):
        read_labels(tmp_path / "labels.parquet", {}, np.array([0, 0, 1]))


def test_labels_that_are_not_there(tmp_path):
    for labels in ("auto", str(tmp_path / "none.csv")):
        with pytest.raises(UsageError, match=r"labels\.parquet"):
            find_labels(labels, tmp_path)


def embed(crops):
    return crops.reshape(len(crops), 7, 16, 6, 16, 3).mean(axis=(2, 4)).reshape(len(crops), -1) - 127.5


def test_a_face_set_on_disk_by_its_own_labels(tmp_path):
    write_face_set(tmp_path, draw_toy_people(12, 3), extension=".png")
    rows = [f"{index},{'ab'[index // 3 % 2]},[red]{index % 3}" for index in range(36)]
    (tmp_path / "labels.csv").write_text("\n".join(["index,town,take", *rows]))
    groups = evaluate_groups(embed, open_face_set(tmp_path), tmp_path, "auto", resolutions=(8,))
    result = groups.to_json()
    assert list(result["attributes"]) == ["resolution", "town", "take"]
    assert list(result["attributes"]["resolution"]["groups"]) == ["native", "8"]
    assert result["attributes"]["resolution"]["groups"]["native"]["fmr"] <= result["fmr"] == 1e-2  # 594 impostor pairs
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
