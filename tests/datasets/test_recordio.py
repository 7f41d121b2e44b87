"""RecordIO against bytes laid out by hand, and against a plain reader of dmlc's format."""

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.datasets.record_files import (
    GOLDEN_PICTURES,
    GOLDEN_RECORDS,
    MAGIC,
    all_of,
    image,
    lay_out,
    plain_read,
)

from facedistill.errors import FacedistillError, UsageError
from facedistill.recordio import RecordFile, write_records

MAGIC_AS_FLOAT = struct.unpack("<f", MAGIC)[0]


def test_writes_the_golden_bytes(tmp_path: Path) -> None:
    write_records(tmp_path, iter(GOLDEN_PICTURES), (4, 3), 2)
    assert (tmp_path / "train.rec").read_bytes() == b"".join(GOLDEN_RECORDS)
    assert (tmp_path / "train.idx").read_bytes() == b"0\t0\n1\t40\n2\t76\n3\t108\n4\t152\n5\t192\n"
    assert (tmp_path / "property").read_bytes() == b"2,4,3\n"
    assert {path.name for path in tmp_path.iterdir()} == {"train.rec", "train.idx", "property"}


def test_reads_the_golden_bytes(tmp_path: Path) -> None:
    records = RecordFile(lay_out(tmp_path, dict(enumerate(GOLDEN_RECORDS))))
    assert [records[index] for index in range(3)] == GOLDEN_PICTURES
    assert (len(records), records.classes, records.size) == (3, 2, (4, 3))
    assert records.keys.tolist() == [1, 2, 3]
    assert records[-1] == records[2]
    with pytest.raises(IndexError):
        records[3]


def test_a_magic_word_between_the_words_splits_nothing(tmp_path: Path) -> None:
    write_records(tmp_path, [(0, b"ab" + MAGIC + b"cd")], (4, 3))
    offset = int((tmp_path / "train.idx").read_text().splitlines()[1].split()[1])
    assert (tmp_path / "train.rec").read_bytes()[offset:].startswith(image(0, b"")[:4] + bytes([24 + 8, 0, 0, 0]))


def test_reads_parts_that_were_padded(tmp_path: Path) -> None:
    head = struct.pack("<IfQQ", 0, 7, 0, 0) + b"abc"
    parts = [(1, head), (2, b""), (2, b"d"), (3, b"efghi")]
    record = b"".join(
        struct.pack("<II", 0xCED7230A, part << 29 | len(data)) + data + bytes(-len(data) % 4) for part, data in parts
    )
    records = RecordFile(lay_out(tmp_path, {1: record, 2: image(1, b"next")}))
    assert records[0] == (7, MAGIC.join([b"abc", b"", b"d", b"efghi"]))
    assert records.labels.tolist() == [7, 1]


pieces = st.sampled_from([MAGIC, MAGIC, b"", b"a", b"abc", bytes(4), MAGIC[:2], MAGIC[2:]])
pictures = st.lists(pieces, max_size=8).map(b"".join)
numbers = st.integers(0, 5)
vectors = st.builds(
    lambda number, rest: [float(number), *rest],
    numbers,
    st.lists(st.floats(width=32, allow_nan=False) | st.just(MAGIC_AS_FLOAT), max_size=4),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(numbers | vectors, pictures), min_size=1, max_size=12))
def test_gives_back_what_was_written(tmp_path_factory: pytest.TempPathFactory, content: list) -> None:
    folder = tmp_path_factory.mktemp("set")
    write_records(folder, content, (112, 96))
    records = RecordFile(folder)
    assert len(records) == len(content)
    for index, (label, picture) in enumerate(content):
        read_label, read_picture = records[index]
        assert read_picture == picture
        np.testing.assert_array_equal(read_label, np.float32(label))
    assert records.labels.tolist() == [np.ravel(label)[0] for label, _ in content]
    assert records.classes == max(int(np.ravel(label)[0]) for label, _ in content) + 1
    payloads = plain_read((folder / "train.rec").read_bytes())
    assert all(payload.endswith(picture) for payload, (_, picture) in zip(payloads[1:], content, strict=False))


@pytest.mark.parametrize(
    ("labels", "ranges"),
    [
        pytest.param([3, 3, 0, 1, 1], [(1, 3), (3, 4), (4, 6)], id="each person's pictures stand together"),
        pytest.param([0, 1, 0], [], id="a person's pictures are scattered"),
        pytest.param([0, [1.0, 2.0]], [], id="a picture has several labels"),
        pytest.param([5], [(1, 2)], id="one picture"),
    ],
)
def test_identity_records(tmp_path: Path, labels: list, ranges: list) -> None:
    write_records(tmp_path, ((label, b"x") for label in labels), (4, 3))
    payloads = plain_read((tmp_path / "train.rec").read_bytes())
    end = len(labels) + 1
    assert struct.unpack_from("<2f", payloads[0], 24) == (end, end + len(ranges))
    assert [struct.unpack_from("<2f", payload, 24) for payload in payloads[end:]] == ranges
    assert len(RecordFile(tmp_path)) == len(labels)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param({0: image(1, b"a"), 1: image(0, b"b")}, [(1, b"a"), (0, b"b")], id="im2rec counts from 0"),
        pytest.param({1: image(1, b"a"), 2: image(0, b"b")}, [(1, b"a"), (0, b"b")], id="im2rec counts from 1"),
        pytest.param({7: image(1, b"a"), 3: image(0, b"b")}, [(0, b"b"), (1, b"a")], id="the index is not in order"),
        pytest.param({0: image(0, b"a", 1, 0)}, [([1, 0], b"a")], id="two labels but a picture: no index header"),
        pytest.param({0: image(0, b"", 1)}, [([1], b"")], id="one label and no picture: no index header"),
        pytest.param(
            {0: image(0, b"", 3, 3), 1: image(1, b"a"), 2: image(0, b"b")},
            [(1, b"a"), (0, b"b")],
            id="an index header, no identities",
        ),
    ],
)
def test_opens_sets_of_other_programs(tmp_path: Path, records: dict, expected: list) -> None:
    found = all_of(lay_out(tmp_path, records))
    assert [(label if isinstance(label, float) else label.tolist(), picture) for label, picture in found] == expected
    assert RecordFile(tmp_path).labels.tolist() == [np.ravel(label)[0] for label, _ in expected]


@pytest.mark.parametrize(
    ("records", "options", "message"),
    [
        pytest.param([], {}, "no pictures", id="nothing to write"),
        pytest.param([(-1, b"")], {}, "picture 1 is -1", id="a negative label"),
        pytest.param([(0, b""), (2, b"")], {"classes": 2}, "picture 2 is 2", id="a label beyond the classes"),
        pytest.param([(1 << 24, b"")], {}, "picture 1", id="a label that float32 rounds"),
        pytest.param([(0.0, b"")], {}, "picture 1 is 0.0", id="one label as a fraction"),
        pytest.param([(None, b"")], {}, "picture 1 is None", id="no label"),
        pytest.param([([None], b"")], {}, "picture 1 is [None]", id="a vector of nothing"),
        pytest.param([([], b"")], {}, "picture 1 is []", id="an empty vector"),
        pytest.param([([0.5], b"")], {}, "picture 1 is [0.5]", id="a class that is no whole number"),
        pytest.param([([float("nan")], b"")], {}, "picture 1 is [nan]", id="a class that is no number"),
        pytest.param([([float("inf")], b"")], {}, "picture 1 is [inf]", id="an infinite class"),
        pytest.param([(0, b"")], {"size": (0, 3)}, "height of size must be", id="pictures without rows"),
    ],
)
def test_refuses_what_it_cannot_write(tmp_path: Path, records: list, options: dict, message: str) -> None:
    with pytest.raises(UsageError) as error:
        write_records(tmp_path / "set", records, **{"size": (4, 3), **options})
    assert message in str(error.value)
    assert not list(tmp_path.rglob("*.*"))


def test_a_stopped_write_leaves_the_old_set_whole(tmp_path: Path) -> None:
    def stopped():
        yield 0, b"new"
        raise KeyboardInterrupt

    write_records(tmp_path, [(0, b"old")], (4, 3))
    with pytest.raises(KeyboardInterrupt):
        write_records(tmp_path, stopped(), (4, 3))
    assert all_of(tmp_path) == [(0, b"old")]
    assert len(list(tmp_path.iterdir())) == 3
    write_records(tmp_path, [(1, b"newer")], (4, 3))
    assert all_of(tmp_path) == [(1, b"newer")]


@pytest.mark.parametrize("survived", [0, 1, 2])
def test_a_write_that_is_cut_off_between_its_files_leaves_no_mixed_set(
    survived: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = [(0, b"old")], [(0, b"n"), (1, b"ew")]
    write_records(tmp_path, old, (4, 3))
    renames, rename = iter(range(9)), Path.replace

    def cut_off(path: Path, target: Path) -> Path:
        if next(renames) == survived:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", cut_off)
    with pytest.raises(KeyboardInterrupt):
        write_records(tmp_path, new, (4, 3))
    with pytest.raises(FacedistillError, match=r"property is missing, so the set is incomplete"):
        RecordFile(tmp_path)
    write_records(tmp_path, new, (4, 3))
    assert all_of(tmp_path) == new


def test_a_worker_process_gets_the_file_and_not_its_content(tmp_path: Path) -> None:
    write_records(tmp_path, [(0, bytes(100_000))], (4, 3))
    data = pickle.dumps(RecordFile(tmp_path))
    assert len(data) < 1000
    assert pickle.loads(data)[0] == (0, bytes(100_000))  # noqa: S301 - our own bytes
