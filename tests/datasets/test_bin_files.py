"""The `.bin` reader: every way the field writes such a file, and every way to abuse a pickle."""

import codecs
import gzip
import os
import pickle
import struct
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedistill.datasets import read_bin, write_bin
from facedistill.errors import FacedistillError, UsageError
from facedistill.pictures import UnreadablePicture, encode_picture

PICTURES = [b"\x80first", b"second", b"", b"fourth\n"]
SAME = [True, False]

# Python 2's pickle.dumps(([b"\x80first", ..., b"fourth\n"], [True, False])), opcode by opcode.
PYTHON_2_TEXT = b"((lp0\nS'\\x80first'\np1\naS'second'\np2\naS''\np3\naS'fourth\\n'\np4\na(lp5\nI01\naI00\natp6\n."
PYTHON_2_BINARY = bytes.fromhex(
    "8002"  # protocol 2
    "5d7100 28"  # the list of pictures, mark
    "5506" + b"\x80first".hex() + "7101"
    "5506" + b"second".hex() + "7102"
    "5500 7103"
    "5507" + b"fourth\n".hex() + "7104"
    "65"  # append all
    "5d7105 28 88 89 65"  # [True, False]
    "867106 2e"  # a pair of both
)  # fmt: skip
# The same with the truths as Python 2's numpy.array([True, False]).
PYTHON_2_NUMPY = (
    PYTHON_2_BINARY[: PYTHON_2_BINARY.index(b"]q\x05")]
    + b"cnumpy.core.multiarray\n_reconstruct\nq\x05cnumpy\nndarray\nq\x06K\x00\x85U\x01b\x87R"
    + b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02b1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    + b"\x89U\x02\x01\x00tb\x86."
)


def read(path: Path, data: bytes) -> object:
    path.write_bytes(data)
    return read_bin(path)


def error_of(path: Path, data: bytes) -> str:
    with pytest.raises(FacedistillError) as error:
        read(path, data)
    message = str(error.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("data", [PYTHON_2_TEXT, PYTHON_2_BINARY, PYTHON_2_NUMPY], ids=["text", "binary", "numpy"])
def test_reads_what_python_2_wrote(data: bytes, tmp_path: Path) -> None:
    pairs = read(tmp_path / "lfw.bin", data)
    assert list(pairs.pictures) == PICTURES
    assert pairs.same.tolist() == SAME


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "pictures",
    [
        pytest.param(PICTURES, id="bytes"),
        pytest.param([bytearray(picture) for picture in PICTURES], id="bytearrays"),
        pytest.param([np.frombuffer(picture, np.uint8) for picture in PICTURES], id="arrays, as cv2.imencode gives"),
        pytest.param(tuple(PICTURES), id="a tuple"),
    ],
)
@pytest.mark.parametrize(
    "same",
    [
        pytest.param(SAME, id="truths"),
        pytest.param((1, 0), id="ones and zeros"),
        pytest.param(np.array(SAME), id="an array of truths"),
        pytest.param(np.array(SAME, dtype=">i8"), id="an array of large numbers, high byte first"),
        pytest.param([np.bool_(True), np.bool_(False)], id="numpy's truths"),
        pytest.param([np.int64(1), np.int64(0)], id="numpy's numbers"),
        pytest.param([1.0, 0.0], id="floats"),
        pytest.param(np.array(SAME, np.float32), id="an array of floats, as np.loadtxt and pandas give"),
        pytest.param([np.float64(1), np.float64(0)], id="numpy's floats"),
    ],
)
def test_reads_what_python_3_writes(protocol: int, pictures: list, same: list, tmp_path: Path) -> None:
    pairs = read(tmp_path / "lfw.bin", pickle.dumps((pictures, same), protocol=protocol))
    assert list(pairs.pictures) == PICTURES
    assert pairs.same.dtype == np.bool_
    assert pairs.same.tolist() == SAME
    assert (pairs.first.tolist(), pairs.second.tolist(), len(pairs)) == ([0, 2], [1, 3], 2)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=40), st.booleans()), min_size=1, max_size=8))
def test_gives_back_what_was_written(tmp_path_factory: pytest.TempPathFactory, content: list) -> None:
    path = tmp_path_factory.mktemp("bin") / "pairs.bin"
    pictures = [picture for first, second, _ in content for picture in (first, second)]
    write_bin(path, pictures, [same for *_, same in content])
    pairs = read_bin(path)
    assert list(pairs.pictures) == pictures
    assert pairs.same.tolist() == [same for *_, same in content]
    plain = pickle.loads(path.read_bytes(), encoding="bytes")  # noqa: S301 - how the field reads it; our own bytes
    assert plain == (pictures, pairs.same.tolist())


def test_pictures_are_decoded_when_asked_for(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    write_bin(tmp_path / "lfw.bin", [encode_picture(picture, ".png"), b"junk"], np.array([True]))
    pairs = read_bin(str(tmp_path / "lfw.bin"))
    np.testing.assert_array_equal(pairs.image(0), picture)
    with pytest.raises(UnreadablePicture, match=r"picture 1 of .*lfw\.bin"):
        pairs.image(1)


class Calls:
    """Pickles as a call of any function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    ("call", "named"),
    [
        pytest.param(Calls(os.system, "touch hit"), "system", id="a shell"),
        pytest.param(Calls(eval, "open('hit', 'w')"), "eval", id="an expression"),
        pytest.param(Calls(getattr, b"", "join"), "getattr", id="a way to anything"),
        pytest.param(Calls(np.load, "hit.npy"), "load", id="another of numpy's doors"),
        pytest.param(Calls(__import__, "antigravity"), "__import__", id="a module"),
    ],
)
def test_refuses_a_hostile_pickle(protocol: int, call: Calls, named: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for content in (call, (PICTURES, call), ([*PICTURES, call], SAME)):
        message = error_of(tmp_path / "lfw.bin", pickle.dumps(content, protocol=protocol))
        assert "refused" in message
        assert named in message
    assert [path.name for path in tmp_path.iterdir()] == ["lfw.bin"]
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(pickle.dumps(Calls(bytes, 1 << 40)), id="a terabyte of zeros"),
        pytest.param(pickle.dumps(Calls(bytearray, 1 << 40)), id="a terabyte of writable zeros"),
        pytest.param(pickle.dumps(Calls(np.ndarray, (1 << 40,))), id="an array made by its class"),
        pytest.param(b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b"x.", id="bytes that are longer than the file"),
        pytest.param(b"\x80\x05\x96" + struct.pack("<Q", 1 << 30) + b"x.", id="writable bytes that are longer"),
        pytest.param(b"\x80\x04\x95" + struct.pack("<Q", 1 << 30) + b"N.", id="a frame that is longer"),
        pytest.param(b"\x80\x02T" + struct.pack("<i", (1 << 31) - 1) + b"x.", id="Python 2's bytes that are longer"),
        pytest.param(b"\x80\x02\x8b" + struct.pack("<i", (1 << 31) - 1) + b"x.", id="a number of 2 GiB"),
        pytest.param(b"\x80\x04]r" + struct.pack("<I", 1 << 28) + b".", id="a value kept at a far place"),
        pytest.param(pickle.dumps(([Calls(codecs.encode, "x" * 1000, "latin-1")], [])), id="another encoder"),
        pytest.param(
            # The text is kept once, and becomes bytes a thousand times.
            b"\x80\x02]c_codecs\nencode\nq\x00X\x00\x40\x00\x00"
            + b"x" * 0x4000
            + b"q\x01\x85R"
            + b"h\x00h\x01\x85R" * 1000
            + b"].",
            id="copies of a text",
        ),
        pytest.param(b"\x80\x02\x8a\xff" + b"\x7f" * 9 + b".", id="a number that is longer than the file"),
        pytest.param(b"\x80\x02P0\n.", id="a reference out of the file"),
    ],
)
def test_refuses_to_grow_beyond_the_file(data: bytes, tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        error_of(tmp_path / "lfw.bin", data)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def tuples(levels: int) -> bytes:
    return b"N" + b"\x85" * levels


def colliding_keys(count: int) -> bytes:
    """A dictionary whose keys are multiples of 2^61 - 1, which all have the hash 0."""
    keys = b"".join(pickle.LONG1 + b"\x0a" + (i * (2**61 - 1)).to_bytes(10, "little") + b"N" for i in range(1, count))
    return b"}(" + keys + b"u"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"}" + tuples(1_000_000) + b"Ns", "64 levels", id="tuples in tuples as a key: hashing recurses"),
        pytest.param(tuples(65), "64 levels", id="one level too many"),
        pytest.param(b"(" * 65, "64 levels", id="marks in marks"),
        pytest.param(b"(" * 900_000, "64 levels", id="a million marks"),
        pytest.param(b"N0" * 450_000, "more instructions", id="a million instructions"),
        pytest.param(colliding_keys(60_000), "below 2^60", id="keys of one hash: quadratic time"),
        pytest.param(
            b"}(" + b"".join(b"K" + bytes([i]) + b"\x85N" for i in range(9)) + b"u", "key", id="tuples as keys"
        ),
        pytest.param(b"\x8f", "an instruction", id="a set"),
        pytest.param(b"\x82\x01", "an instruction", id="a registered extension"),
        pytest.param(b"P1\n", "an instruction", id="an object by its id"),
        pytest.param(
            b"cnumpy.core.multiarray\n_reconstruct\n(N}X\x03\x00\x00\x00fooNstb",
            "sets the state of function",
            id="an attribute of the reader's own function",
        ),
        pytest.param(b"cnumpy\nndarray\n(N}tb", "sets the state of", id="an attribute of the reader's own class"),
    ],
)
def test_refuses_what_recurses_or_takes_quadratic_time(content: bytes, message: str, tmp_path: Path) -> None:
    before = time.process_time()
    assert message in error_of(tmp_path / "lfw.bin", b"\x80\x04" + content + b".")
    assert time.process_time() - before < 2


def test_nesting_that_is_allowed_is_read(tmp_path: Path) -> None:
    assert "a pair (pictures, same)" in error_of(tmp_path / "lfw.bin", b"\x80\x04" + tuples(64) + b".")


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_reads_what_gzip_packed(protocol: int, tmp_path: Path) -> None:
    pairs = read(tmp_path / "lfw.bin", gzip.compress(pickle.dumps((PICTURES, SAME), protocol=protocol)))
    assert list(pairs.pictures) == PICTURES
    assert pairs.same.tolist() == SAME


def test_a_gzip_bomb_is_refused(tmp_path: Path) -> None:
    bomb = gzip.compress(pickle.dumps(([bytes(64 << 20), b""], [True])))
    assert "less than 1/8 as large" in error_of(tmp_path / "lfw.bin", bomb)
    assert "ends too early" in error_of(tmp_path / "lfw.bin", gzip.compress(pickle.dumps((PICTURES, SAME)))[:-9])


def test_an_array_without_its_state_is_one_clear_error(tmp_path: Path) -> None:
    array = b"cnumpy.core.multiarray\n_reconstruct\n(tR"
    assert "0 pictures for 0 pairs" in error_of(tmp_path / "lfw.bin", b"\x80\x02]" + array + b"\x86.")


@pytest.mark.parametrize("kind", [bytes, bytearray, lambda data: np.frombuffer(data, np.uint8)])
@pytest.mark.parametrize("protocol", [2, 5])
def test_a_picture_that_is_listed_often_is_held_once(kind: object, protocol: int, tmp_path: Path) -> None:
    picture = kind(bytes(100_000))
    pictures = [picture] * 2000
    path = tmp_path / "lfw.bin"
    path.write_bytes(pickle.dumps((pictures, [True] * 1000), protocol=protocol))
    del picture, pictures
    tracemalloc.start()
    try:
        pairs = read_bin(path)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    assert pairs.pictures == (bytes(100_000),) * 2000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param((PICTURES[:3], SAME), "3 pictures for 2 pairs, which need 4", id="an odd number of pictures"),
        pytest.param((PICTURES, SAME[:1]), "4 pictures for 1 pairs, which need 2", id="too few truths"),
        pytest.param(([], []), "0 pictures for 0 pairs", id="no pairs"),
        pytest.param((PICTURES, SAME, 1), "a pair (pictures, same)", id="three parts"),
        pytest.param(PICTURES[0], "a pair (pictures, same)", id="one picture"),
        pytest.param((dict.fromkeys(PICTURES), SAME), "a list of pictures", id="a dictionary"),
        pytest.param((PICTURES, "yes"), "a list of truths", id="a text"),
        pytest.param((PICTURES, [True, 2]), "pair 1 is neither", id="a truth that is none"),
        pytest.param((PICTURES, [None, True]), "pair 0 is neither", id="a missing truth"),
        pytest.param((PICTURES, np.array([[True], [False]])), "shape (2, 1)", id="truths in a table"),
        pytest.param((PICTURES, np.array([1.0, 0.5])), "pair 1 is neither", id="a truth between both"),
        pytest.param((PICTURES, np.array([np.nan, 0.0])), "pair 0 is neither", id="a truth that is no number"),
        pytest.param((PICTURES, np.array([1j, 0])), "'c16'", id="complex truths"),
        pytest.param(([np.zeros(3), b"", b"", b""], SAME), "picture 0 is an array of float64", id="pixels as floats"),
        pytest.param(([b"", b"", b"", 7], SAME), "picture 3 is int", id="a picture that is a number"),
        pytest.param(([b"", b"", None, b""], SAME), "picture 2 is NoneType", id="a missing picture"),
    ],
)
def test_content_that_does_not_match_is_refused_with_the_reason(content: object, message: str, tmp_path: Path) -> None:
    assert message in error_of(tmp_path / "lfw.bin", pickle.dumps(content))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x80\x04h\x07.", b"\xff\xd8\xff\xe0 a picture", b"hello\n"], ids=repr)
def test_a_foreign_file_is_one_clear_error(data: bytes, tmp_path: Path) -> None:
    error_of(tmp_path / "lfw.bin", data)


def test_a_file_cut_anywhere_is_one_clear_error(tmp_path: Path) -> None:
    for data in (PYTHON_2_TEXT, PYTHON_2_NUMPY, pickle.dumps((PICTURES, np.array(SAME)))):
        for length in range(len(data)):
            error_of(tmp_path / "lfw.bin", data[:length])


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, len(PYTHON_2_NUMPY) - 1), value=st.integers(0, 255))
def test_a_wrong_byte_never_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, at: int, value: int) -> None:
    data = bytearray(PYTHON_2_NUMPY)
    data[at] = value
    path = tmp_path_factory.mktemp("bin") / "lfw.bin"
    path.write_bytes(data)
    try:
        pairs = read_bin(path)
    except FacedistillError:
        return
    assert len(pairs.pictures) == 2 * len(pairs.same)


def test_a_missing_file_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read_bin(tmp_path / "lfw.bin")
    with pytest.raises(FacedistillError, match="cannot read"):
        read_bin(tmp_path)


@pytest.mark.parametrize(
    ("pictures", "same", "message"),
    [
        pytest.param([b"a"], [True], "1 pictures for 1 pairs", id="an odd number"),
        pytest.param([], [], "0 pictures", id="nothing"),
        pytest.param(["a", b"b"], [True], "picture 0 is str", id="text"),
    ],
)
def test_refuses_what_it_cannot_write(pictures: list, same: list, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        write_bin(tmp_path / "lfw.bin", pictures, same)
    assert not list(tmp_path.iterdir())
