"""Damaged record sets: one error that names the file and the record, and no memory for what is not there."""

import struct
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.datasets.record_files import GOLDEN_PICTURES, GOLDEN_RECORDS, all_of, golden, image, lay_out, whole

from facedistill.datasets import open_face_set
from facedistill.errors import FacedistillError
from facedistill.recordio import RecordFile


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        pytest.param({"prop": None}, "property is missing", id="the writing was interrupted"),
        pytest.param({"prop": b""}, "property is damaged", id="an empty property"),
        pytest.param({"prop": b"2,4\n"}, "property is damaged", id="two of three numbers"),
        pytest.param({"prop": b"0,4,3\n"}, "property is damaged", id="no people"),
        pytest.param({"prop": b"9" * 4000 + b",4,3\n"}, "property is damaged", id="more people than there are"),
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


def test_a_set_of_another_name_opens(tmp_path: Path) -> None:
    for file in golden(tmp_path).glob("train.*"):
        file.rename(file.with_stem("faces_webface"))
    assert all_of(tmp_path) == GOLDEN_PICTURES
    faces = open_face_set(tmp_path)
    assert (faces.classes, faces.labels.tolist()) == (2, [0, 0, 1])
    assert len(faces.digest) == 64
    (tmp_path / "faces_webface.idx").unlink()
    with pytest.raises(FacedistillError, match=r"faces_webface\.idx is missing"):
        RecordFile(tmp_path)


def test_train_is_taken_of_several_sets_and_else_none(tmp_path: Path) -> None:
    golden(tmp_path)
    for name in ("val.rec", "val.idx"):
        (tmp_path / name).write_bytes((tmp_path / name.replace("val", "train")).read_bytes())
    assert RecordFile(tmp_path).records.name == "train.rec"
    (tmp_path / "train.rec").rename(tmp_path / "test.rec")
    with pytest.raises(FacedistillError, match=r"several sets \(test\.rec, val\.rec\)"):
        open_face_set(tmp_path)


def test_records_may_lie_in_any_order(tmp_path: Path) -> None:
    golden(tmp_path, idx=b"1\t108\n2\t40\n3\t76\n")
    assert all_of(tmp_path) == [GOLDEN_PICTURES[2], GOLDEN_PICTURES[0], GOLDEN_PICTURES[1]]


@pytest.mark.parametrize(
    ("records", "index", "message"),
    [
        pytest.param(
            image(0, b"a"), b"1\t0\n2\t0\n", "record 1: record 2 begins at the same byte 0", id="two of one place"
        ),
        pytest.param(
            struct.pack("<II", 0xCED7230A, 1 << 29) + struct.pack("<II", 0xCED7230A, 2 << 29) * 60_000,
            b"".join(b"%d\t%d\n" % (key, 8 * key) for key in range(60_000)),
            "the next record begins within it",
            id="parts that run through the file from each record: quadratic time",
        ),
    ],
)
def test_records_that_run_into_each_other_are_refused_at_once(records, index, message, tmp_path: Path) -> None:
    golden(tmp_path, rec=records, idx=index)
    before = time.process_time()
    with pytest.raises(FacedistillError, match=message):
        RecordFile(tmp_path).labels  # noqa: B018
    assert time.process_time() - before < 2


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
