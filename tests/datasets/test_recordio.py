"""RecordIO against bytes laid out by hand, against a plain reader of dmlc's format, and against damage."""

import pickle
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedistill.errors import FacedistillError, UsageError
from facedistill.recordio import RecordFile, write_records

MAGIC = bytes.fromhex("0a23d7ce")
MAGIC_AS_FLOAT = struct.unpack("<f", MAGIC)[0]

# Two people, three pictures, laid out by hand: part header | flag, label, id, id2 | labels | picture, padding.
GOLDEN = {
    # Index header: images end at 4, identities at 6.
    0: "0a23d7ce 20000000 | 02000000 00000000 0000000000000000 0000000000000000 | 00008040 0000c040",
    1: "0a23d7ce 1b000000 | 00000000 00000000 0100000000000000 0000000000000000 | 010203 00",
    2: "0a23d7ce 18000000 | 00000000 00000000 0200000000000000 0000000000000000",
    # The picture begins with the magic word, so the record is split there: parts "first" and "last".
    3: "0a23d7ce 18000020 | 00000000 0000803f 0300000000000000 0000000000000000 | 0a23d7ce 01000060 7a 000000",
    # Identities: keys [1, 3) and [3, 4).
    4: "0a23d7ce 20000000 | 02000000 00000000 0400000000000000 0000000000000000 | 0000803f 00004040",
    5: "0a23d7ce 20000000 | 02000000 00000000 0500000000000000 0000000000000000 | 00004040 00008040",
}
GOLDEN_RECORDS = [bytes.fromhex(text.replace("|", "")) for text in GOLDEN.values()]
GOLDEN_PICTURES = [(0, b"\1\2\3"), (0, b""), (1, MAGIC + b"z")]


def lay_out(folder: Path, records: dict[int, bytes], prop: str = "2,4,3\n") -> Path:
    """A set from ready-made records, written without the code under test."""
    folder.mkdir(parents=True, exist_ok=True)
    offset, lines = 0, []
    for key, record in records.items():
        lines.append(f"{key}\t{offset}\n")
        offset += len(record)
    (folder / "train.rec").write_bytes(b"".join(records.values()))
    (folder / "train.idx").write_text("".join(lines))
    (folder / "property").write_text(prop)
    return folder


def whole(payload: bytes) -> bytes:
    return struct.pack("<II", 0xCED7230A, len(payload)) + payload + bytes(-len(payload) % 4)


def image(label: float, picture: bytes, *labels: float) -> bytes:
    head = struct.pack("<IfQQ", len(labels), 0 if labels else label, 0, 0)
    return whole(head + struct.pack(f"<{len(labels)}f", *labels) + picture)


def plain_read(data: bytes) -> list[bytes]:
    """All payloads of a record file, read from its begin to its end as dmlc does."""
    payloads, offset, parts = [], 0, []
    while offset < len(data):
        magic, packed = struct.unpack_from("<II", data, offset)
        assert magic == 0xCED7230A
        length = packed & 0x1FFFFFFF
        parts.append(data[offset + 8 : offset + 8 + length])
        if packed >> 29 in (0, 3):
            payloads.append(MAGIC.join(parts))
            parts = []
        offset += 8 + (length + 3) // 4 * 4
    return payloads


def all_of(folder: Path) -> list[tuple[object, bytes]]:
    records = RecordFile(folder)
    return [records[index] for index in range(len(records))]


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


def golden(folder: Path, **changed: object) -> Path:
    """The golden set with some files replaced, or removed (None)."""
    lay_out(folder, dict(enumerate(GOLDEN_RECORDS)))
    for name, content in changed.items():
        path = folder / {"rec": "train.rec", "idx": "train.idx", "prop": "property"}[name]
        path.unlink()
        if content is not None:
            path.write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        pytest.param({"prop": None}, "property is missing", id="the writing was interrupted"),
        pytest.param({"prop": b""}, "property is damaged", id="an empty property"),
        pytest.param({"prop": b"2,4\n"}, "property is damaged", id="two of three numbers"),
        pytest.param({"prop": b"0,4,3\n"}, "property is damaged", id="no people"),
        pytest.param({"prop": b"\xff\xfe"}, "property is damaged", id="a property that is no text"),
        pytest.param({"rec": None}, "train.rec is missing", id="no record file"),
        pytest.param({"rec": b""}, "train.rec", id="an empty record file"),
        pytest.param({"rec": b"tiny"}, "record 0: its offset 0 lies outside", id="a record file shorter than a record"),
        pytest.param({"rec": b"\xff" * 300}, "record 0: no record begins", id="some other file"),
        pytest.param({"idx": None}, "train.idx is missing", id="no index"),
        pytest.param({"idx": b""}, "train.idx is damaged", id="an empty index"),
        pytest.param({"idx": b"\n \n"}, "train.idx is damaged", id="an index of empty lines"),
        pytest.param({"idx": b"0\t0.0\n"}, "train.idx is damaged", id="an offset that is a fraction"),
        pytest.param({"idx": b"zero one\n"}, "train.idx is damaged", id="an index of texts"),
        pytest.param({"idx": b"0\n1\n"}, "train.idx is damaged", id="an index without offsets"),
        pytest.param({"idx": b"0\t0\n1\n"}, "train.idx is damaged", id="an index cut within a line"),
        pytest.param({"idx": b"0\t99999999999999999999\n"}, "train.idx is damaged", id="an offset beyond 64 bits"),
        pytest.param({"idx": b"\xff\xfe0\t0\n"}, "train.idx is damaged", id="an index that is no text"),
        pytest.param({"idx": b"0\t0\n0\t40\n"}, "train.idx is damaged", id="a key twice"),
        pytest.param({"idx": b"-1\t0\n"}, "train.idx is damaged", id="a negative key"),
        pytest.param({"idx": b"1\t4096\n"}, "record 1: its offset 4096", id="an offset behind the end"),
        pytest.param({"idx": b"1\t-8\n"}, "record 1: its offset -8", id="an offset before the begin"),
        pytest.param({"idx": b"1\t41\n"}, "record 1: its offset 41", id="an offset that is no multiple of 4"),
        pytest.param(
            {"idx": b"0\t0\n1\t40\n"}, "announces 3 images, train.idx lists 1", id="an index that lacks images"
        ),
    ],
)
@pytest.mark.filterwarnings("error")  # the error is the only line printed
def test_a_set_that_does_not_open_gives_the_reason(tmp_path: Path, changed: dict, message: str) -> None:
    with pytest.raises(FacedistillError) as error:
        RecordFile(golden(tmp_path / "set", **changed))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        pytest.param(whole(b"short"), "too few for an image header", id="no room for the header"),
        pytest.param(whole(struct.pack("<IfQQ", 2**32 - 1, 0, 0, 0)), "too few for its 4294967295 labels", id="labels"),
        pytest.param(image(0, b"a" * 9)[:-8], "the file ends within it", id="the file ends in the picture"),
        pytest.param(struct.pack("<II", 0xCED7230A, 3 << 29), "no record begins", id="a last part without a first"),
        pytest.param(
            struct.pack("<II", 0xCED7230A, 1 << 29) + image(0, b""), "no record begins", id="a whole part in between"
        ),
        pytest.param(struct.pack("<II", 0xCED7230A, 1 << 29), "the file ends within it", id="a first part alone"),
    ],
)
def test_names_the_damaged_record(tmp_path: Path, record: bytes, message: str) -> None:
    records = RecordFile(lay_out(tmp_path, {1: image(0, b"good"), 2: record}))
    assert records[0] == (0, b"good")
    for read in (lambda: records[1], lambda: records.labels):
        with pytest.raises(FacedistillError) as error:
            read()
        assert "train.rec is damaged at record 2" in str(error.value)
        assert message in str(error.value)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(struct.pack("<II", 0xCED7230A, 2**29 - 1) + bytes(40), id="512 MiB in one part"),
        pytest.param(struct.pack("<II", 0xCED7230A, 2**30 - 1) + bytes(40), id="512 MiB in the first of several parts"),
        pytest.param(image(0, b"")[:8] + struct.pack("<IfQQ", 2**32 - 1, 0, 0, 0), id="16 GiB of labels"),
    ],
)
def test_a_lying_length_takes_no_memory(tmp_path: Path, record: bytes) -> None:
    records = RecordFile(lay_out(tmp_path, {1: record}))
    tracemalloc.start()
    try:
        for read in (lambda: records[0], lambda: records.labels):
            with pytest.raises(FacedistillError, match="damaged at record 1"):
                read()
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("announced", [float("nan"), float("inf"), -1.0, 0.0, 1.0, 1e30], ids=str)
def test_refuses_an_index_header_that_cannot_be(tmp_path: Path, announced: float) -> None:
    lay_out(tmp_path, {0: image(0, b"", announced, announced), 1: image(0, b"a")})
    with pytest.raises(FacedistillError, match="damaged at record 0"):
        RecordFile(tmp_path)


def test_a_file_cut_anywhere_is_one_clear_error(tmp_path: Path) -> None:
    content = b"".join(GOLDEN_RECORDS)
    for length in range(1, len(content)):
        golden(tmp_path, rec=content[:length])
        if length < 200:  # where the index's last offset lies within the file, only an identity is incomplete
            with pytest.raises(FacedistillError, match=r"damaged at record \d"):
                all_of(tmp_path)
        else:
            assert all_of(tmp_path) == GOLDEN_PICTURES


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 231), value=st.integers(0, 255))
def test_a_wrong_byte_never_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, at: int, value: int) -> None:
    content = bytearray(b"".join(GOLDEN_RECORDS))
    content[at] = value
    folder = golden(tmp_path_factory.mktemp("set"), rec=bytes(content))
    message, found = "", []
    try:
        found = all_of(folder)
        labels = RecordFile(folder).labels
    except FacedistillError as error:
        message = str(error)
    if not message:
        np.testing.assert_array_equal(labels, np.float32([np.ravel(label)[0] for label, _ in found]))
    elif not message.startswith(f"{folder}/train.rec is damaged at record"):
        raise AssertionError(message)


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
        pytest.param([(0, b"")], {"size": (0, 3)}, "the size 0x3", id="pictures without rows"),
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
