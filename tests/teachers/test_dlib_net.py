"""dlib's serialisation against an encoder written from dlib's format, and the net that is read with it."""

import math
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedistill.errors import FacedistillError
from facedistill.teachers import load_teacher
from facedistill.teachers.dlib_net import DlibReader, read_dlib_net
from facedistill.teachers.dlib_teacher import dlib_onnx, dlib_weights


def encode_integer(value: int) -> bytes:
    digits = []
    rest = abs(value)
    while True:
        digits.append(rest & 0xFF)
        rest >>= 8
        if rest == 0:
            break
    return bytes([len(digits) | (0x80 if value < 0 else 0), *digits])


def encode_float(value: float) -> bytes:
    fraction, exponent = math.frexp(value)
    return encode_integer(int(fraction * 2**53)) + encode_integer(exponent - 53)


def encode_tensor(values: np.ndarray) -> bytes:
    sizes = b"".join(encode_integer(side) for side in values.shape)
    return encode_integer(2) + sizes + b"".join(struct.pack("<f", value) for value in values.ravel())


@settings(max_examples=200, deadline=None)
@given(st.integers(-(2**64) + 1, 2**64 - 1))
def test_integers_come_back(value: int) -> None:
    reader = DlibReader(encode_integer(value), "x")
    assert reader.integer() == value
    reader.end()


@settings(max_examples=200, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_come_back_exactly(value: float) -> None:
    assert DlibReader(encode_float(value), "x").floating() == value


@settings(max_examples=30, deadline=None)
@given(st.tuples(*[st.integers(0, 3)] * 4), st.integers(0, 99))
def test_tensors_come_back(shape: tuple[int, int, int, int], seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    assert np.array_equal(DlibReader(encode_tensor(values), "x").tensor(), values)


def test_text_and_bools_come_back() -> None:
    reader = DlibReader(b"\x01\x05con_410", "x")
    assert (reader.text(), reader.boolean(), reader.boolean()) == ("con_4", True, False)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        pytest.param("integer", b"", id="nothing there"),
        pytest.param("integer", b"\x02\x01", id="ends within the number"),
        pytest.param("integer", b"\x00", id="no bytes"),
        pytest.param("integer", b"\x09" + b"\x01" * 9, id="more than eight bytes"),
        pytest.param("integer", b"\x11\x01", id="unknown bits in the control byte"),
        pytest.param("floating", encode_integer(1) + encode_integer(32000), id="dlib's mark of infinity"),
        pytest.param("text", b"\x81\x05abcde", id="negative length"),
        pytest.param("text", b"\x08" + b"\xff" * 8, id="longer than any memory"),
        pytest.param("text", b"\x01\x02\xff\xfe", id="no ASCII"),
        pytest.param("boolean", b"2", id="neither 0 nor 1"),
        pytest.param("tensor", encode_integer(1), id="another version"),
        pytest.param("tensor", encode_integer(2) + encode_integer(2**40) * 4, id="a size that nothing could hold"),
        pytest.param("tensor", encode_tensor(np.full((1, 1, 1, 1), np.nan)), id="NaN"),
    ],
)
def test_damaged_values_are_refused_by_name(kind: str, data: bytes) -> None:
    with pytest.raises(FacedistillError, match=r"^net\.dat is no intact dlib"):
        getattr(DlibReader(data, "net.dat"), kind)()


@pytest.fixture(scope="module")
def weights() -> Path:
    return dlib_weights()


def test_structure_of_the_net(weights: Path) -> None:
    net = read_dlib_net(weights)
    assert net.side == 150
    assert net.means == pytest.approx((122.782, 117.001, 104.298))
    assert net.stem.weight.shape == (32, 3, 7, 7)
    assert [unit.first.weight.shape[0] for unit in net.units] == [32] * 3 + [64] * 4 + [128] * 3 + [256] * 4
    assert [index for index, unit in enumerate(net.units) if unit.halves] == [3, 7, 10, 13]
    assert {(unit.first.stride, unit.first.padding) for unit in net.units if unit.halves} == {(2, 0)}
    assert {(unit.first.stride, unit.first.padding) for unit in net.units if not unit.halves} == {(1, 1)}
    assert net.projection.shape == (256, 128)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda data: data[:-1], "the file ends", id="last byte missing"),
        pytest.param(lambda data: data[: len(data) // 2], "the file ends", id="half of it"),
        pytest.param(lambda data: data[:0], "the file ends", id="empty"),
        pytest.param(lambda data: data + b"\x00", "1 bytes too many", id="a byte too many"),
        pytest.param(lambda data: data.replace(b"con_4", b"con_5", 1), "'con_5', not 'con_4'", id="another layer"),
        pytest.param(lambda data: data.replace(b"loss_metric_2", b"loss_hinged_2", 1), "loss", id="another loss"),
        pytest.param(lambda data: b"<html>" + data, "opens no integer", id="a web page"),
    ],
)
def test_another_file_is_refused(weights: Path, tmp_path: Path, change, message: str) -> None:
    path = tmp_path / "net.dat"
    path.write_bytes(change(weights.read_bytes()))
    with pytest.raises(FacedistillError, match=message) as caught:
        read_dlib_net(path)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def own_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACEDISTILL_CACHE", str(cache))
    return cache


def generated_chip() -> np.ndarray:
    y, x = np.mgrid[0:150, 0:150]
    return np.stack([(2 * x) % 256, (3 * y + x) % 256, (x * y) // 50 % 256], axis=-1).astype(np.uint8)


def test_golden_embedding_of_a_generated_chip(own_cache: Path) -> None:
    teacher = load_teacher("dlib")
    assert (teacher.name, teacher.input_size, teacher.embedding_size) == ("dlib", (150, 150), 128)
    embedding = teacher.embed(np.stack([generated_chip()] * 2))
    # What dlib-bin 20.0.1 gives for the same chip, to 1e-6 (test_dlib_real.py compares the two on real faces).
    golden = [-0.04631987, 0.11083793, 0.06521884, -0.00838142, -0.02705466, -0.04760711]
    np.testing.assert_allclose(embedding[0, :6], golden, atol=2e-5)
    np.testing.assert_allclose(embedding[0], embedding[1], atol=1e-6)
    assert np.linalg.norm(embedding[0]) == pytest.approx(1.2940919, abs=1e-4)


def test_a_damaged_cache_is_made_anew(own_cache: Path) -> None:
    path = dlib_onnx()
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0x40
    for damaged in (bytes(flipped), whole[:1000], b""):
        path.write_bytes(damaged)
        assert dlib_onnx().read_bytes() == whole
