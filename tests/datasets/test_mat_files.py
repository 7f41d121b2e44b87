"""MAT-files as MATLAB and SciPy write them, and as nobody should."""

import struct
import time
import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from facedistill.datasets.mat_file import MAX_BYTES, read_mat
from facedistill.errors import FacedistillError, UsageError

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), max_size=9)


def cells(names, columns=1):
    made = np.empty(len(names), dtype=object)
    made[:] = names
    return made.reshape(-1, columns)


def saved(variables, compressed=False):
    file = BytesIO()
    savemat(file, variables, do_compression=compressed)
    return file.getvalue()


def part(kind, data, order="<"):
    return struct.pack(order + "II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def matrix(kind, shape, name, body, order="<"):
    """A variable by the format's own description."""
    head = part(6, struct.pack(order + "II", kind, 0), order)
    sides = part(5, struct.pack(f"{order}{len(shape)}i", *shape), order)
    return part(14, head + sides + part(1, name, order) + body, order)


def file_of(*variables, order="<"):
    mark = struct.pack(order + "HH", 0x0100, 0x4D49)
    return b"MATLAB 5.0 MAT-file".ljust(124) + mark + b"".join(variables)


def read(data, tmp_path):
    path = tmp_path / "list.mat"
    path.write_bytes(data)
    return read_mat(path)


@pytest.mark.parametrize("compressed", [False, True])
@given(names=st.lists(TEXTS, min_size=1, max_size=6), numbers=st.lists(st.integers(0, 2**16 - 1), min_size=1))
@settings(max_examples=40, deadline=None)
def test_what_scipy_writes_is_read(compressed, names, numbers, tmp_path_factory):
    ids = np.array(numbers, dtype=np.uint16)[:, None]
    data = saved({"probe_set": cells(names), "probe_ids": ids, "weights": ids / 3.0}, compressed)
    found = read(data, tmp_path_factory.mktemp("mat"))
    known = loadmat(BytesIO(data))
    assert found["probe_set"].shape == (len(names), 1)
    assert found["probe_set"].ravel().tolist() == [
        str(cell[0][0]) if cell[0].size else "" for cell in known["probe_set"]
    ]
    for name in ("probe_ids", "weights"):
        np.testing.assert_array_equal(found[name], known[name])


def test_two_columns_keep_their_rows(tmp_path):
    found = read(saved({"pairs": cells(["a", "b", "c", "d", "e", "f"], columns=2)}), tmp_path)["pairs"]
    assert found.tolist() == [["a", "b"], ["c", "d"], ["e", "f"]]


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders(order, tmp_path):
    text = matrix(4, (1, 2), b"", part(4, "hö".encode(f"utf-16-{'l' if order == '<' else 'b'}e"), order), order)
    numbers = matrix(11, (2, 1), b"ids", part(4, struct.pack(order + "HH", 7, 300), order), order)
    found = read(file_of(matrix(1, (1, 1), b"set", text, order), numbers, order=order), tmp_path)
    assert found["set"].tolist() == [["hö"]]
    assert found["ids"].tolist() == [[7], [300]]


def test_variables_of_other_classes_are_left_out(tmp_path):
    found = read(saved({"ids": np.arange(3.0), "notes": {"by": "somebody"}}), tmp_path)
    assert list(found) == ["ids"]


def nested(depth):
    """Cells in cells, `depth` deep; SciPy overflows its stack on 100,000."""
    head = part(6, struct.pack("<II", 1, 0)) + part(5, struct.pack("<ii", 1, 1)) + part(1, b"x")
    layers, size = [], 0
    for _ in range(depth):
        size += len(head)
        layers.append(struct.pack("<II", 14, size) + head)
        size += 8
    return b"".join(reversed(layers))


TEXT = matrix(4, (1, 1), b"", part(16, b"a"))


NUMBERS = matrix(11, (1, 1), b"", part(4, b"ab"))
OBJECT = matrix(3, (1, 1), b"", b"")
ENDLESS = part(14, part(6, struct.pack("<II", 6, 0)) + part(9, struct.pack("<dd", np.inf, 1)) + part(1, b"x"))
WIDE = matrix(9, (1, 40 << 20), b"x", part(2, bytes(40 << 20)))  # more than half of what is allowed


def packed(data):
    squeezed = zlib.compress(data)
    return struct.pack("<II", 15, len(squeezed)) + squeezed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(file_of(nested(100_000)), "a cell holds cells", id="a stack of cells"),
        pytest.param(file_of(matrix(1, (2**30, 1), b"x", TEXT)), "claims 1073741824 values and holds 1", id="no cells"),
        pytest.param(file_of(matrix(11, (2**30, 1), b"x", part(4, b""))), "claims 1073741824", id="no numbers"),
        pytest.param(file_of(matrix(11, (2**31 - 1,) * 40, b"x", part(4, b""))), "40 axes", id="40 axes"),
        pytest.param(file_of(packed(matrix(11, (2**31 - 1,) * 200_000, b"x", part(4, b"")))), "200000 axes", id="axes"),
        pytest.param(file_of(packed(matrix(1, (2**18, 1), b"x", TEXT * 2**18))), "more than 131072 cells", id="cells"),
        pytest.param(file_of(matrix(11, (1, 1), bytes(300), part(4, b"ab"))), "longer than 256 bytes", id="a name"),
        pytest.param(file_of(matrix(4, (1, 9), b"x", part(16, bytes(70_000)))), "longer than 65536", id="a long text"),
        pytest.param(file_of(matrix(11, (-1, 1), b"x", part(4, b""))), "no size", id="a negative size"),
        pytest.param(file_of(matrix(1, (1, 1), b"x", NUMBERS)), "numbers", id="a number"),
        pytest.param(file_of(matrix(1, (1, 1), b"x", OBJECT)), "neither", id="an object in a cell"),
        pytest.param(file_of(matrix(4, (2, 1), b"x", part(16, b"ab"))), "block of characters", id="characters"),
        pytest.param(file_of(matrix(4, (1, 2), b"x", part(16, b"\xff\xfe"))), "cannot be read", id="no UTF-8"),
        pytest.param(file_of(part(14, b"")), "it ends too early", id="nothing in a variable"),
        pytest.param(file_of(part(14, part(6, b""))), "cannot be read", id="no flags"),
        pytest.param(file_of(part(5, b"abcd")), "kind 5", id="no variable"),
        pytest.param(file_of(struct.pack("<II", 14, 2**32 - 1)), "it ends too early", id="a length of 4 GiB"),
        pytest.param(file_of(packed(bytes(MAX_BYTES + 1))), "more than 64 MiB", id="a bomb"),
        pytest.param(file_of(packed(WIDE), packed(WIDE)), "more than 64 MiB", id="two bombs"),
        pytest.param(file_of(packed(TEXT)[:-4]), "it ends too early", id="half a compressed part"),
        pytest.param(file_of(struct.pack("<II", 15, 4) + b"junk"), "cannot be read", id="compressed by nobody"),
        pytest.param(
            file_of(
                part(14, part(6, struct.pack("<II", 6, 0)) + part(9, struct.pack("<dd", np.inf, 1)) + part(1, b"x"))
            ),
            "cannot be read",
            id="an infinite side",
        ),
    ],
)
def test_hostile_files_are_refused_in_one_line(content, message, tmp_path):
    before = time.process_time()
    with pytest.raises(FacedistillError, match=message) as error:
        read(content, tmp_path)
    assert time.process_time() - before < 2
    assert "\n" not in str(error.value)
    assert "list.mat" in str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"no MAT-file", id="a text"),
        pytest.param(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF", id="level 7.3"),
        pytest.param(b"\x80\x04\x95" + bytes(200), id="a pickle"),
    ],
)
def test_other_files_are_wrong_calls(content, tmp_path):
    with pytest.raises(UsageError, match="no MAT-file of level 5"):
        read(content, tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(
            b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM".ljust(388) + b"\x89HDF\r\n\x1a\n", id="MATLAB's"
        ),
        pytest.param(b"\x89HDF\r\n\x1a\n" + bytes(500), id="another program's"),
    ],
)
def test_the_call_that_converts_hdf5_is_named(content, tmp_path):
    with pytest.raises(UsageError, match=r"version 7\.3 \(HDF5\); .*save\('-v7', 'OUT\.mat', '-struct', 's'\)"):
        read(content, tmp_path)


def test_absent_files_are_wrong_calls(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        read_mat(tmp_path / "absent.mat")


def test_large_files_are_not_opened(tmp_path):
    path = tmp_path / "large.mat"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(FacedistillError, match="larger than 64 MiB"):
        read_mat(path)


SOUND = saved({"probe_set": cells(["1_a.jpg", "22_b.jpg"]), "probe_ids": np.array([[1], [22]], np.uint16)})


def test_a_file_cut_anywhere_is_an_error_or_lacks_variables(tmp_path):
    whole = read(SOUND, tmp_path)
    for end in range(128, len(SOUND) - 7):
        try:
            found = read(SOUND[:end], tmp_path)
        except FacedistillError:
            continue
        assert set(found) < set(whole), end


@given(changes=st.lists(st.tuples(st.integers(124, len(SOUND) - 1), st.integers(0, 255)), min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_changed_bytes_end_in_values_or_one_line(changes, tmp_path_factory):
    data = bytearray(SOUND)
    for at, value in changes:
        data[at] = value
    message = ""
    try:
        read(bytes(data), tmp_path_factory.getbasetemp())
    except FacedistillError as error:
        message = str(error)
    assert "\n" not in message
