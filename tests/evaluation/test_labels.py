"""Labels of pictures: read from files, and sorted into groups."""

import numpy as np
import pytest

from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.labels import attributes_of, find_labels, read_labels


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


def test_ancestry_is_the_heaviest_weight_and_traits_are_no_conditions():
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
        "skin_tone": [0.2, 0.2, 0.7],
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
    assert set(found) == {"age", "gender", "ancestry", "skin_tone", "yaw", "light", "glasses", "occlusion"}
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
