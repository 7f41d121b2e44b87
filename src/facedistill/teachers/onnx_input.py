"""What an ONNX file takes: layout, crop size and type of its pictures."""

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from facedistill.errors import FacedistillError, UsageError
from facedistill.faces import crop_convention
from facedistill.teachers.pixels import Pixels

Layout = Literal["nchw", "nhwc"]

_TYPES: dict[str, type[np.generic]] = {
    "tensor(uint8)": np.uint8,
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
}
_SIDES = range(32, 513)  # of crops that are no convention's
_EXPECTED = "a face embedder takes [B, 3, H, W] or [B, H, W, 3], of uint8 or floats"


@dataclass(frozen=True)
class OnnxInput:
    """The input of a face embedder.

    Attributes:
        name: Of the graph's input.
        kind: Its type and shape, as the file declares them.
        dtype: numpy's type for it.
        layout: `nchw` or `nhwc`.
        size: (height, width) of the pictures that the net takes.
        window: (height, width) of the crop convention that they show, in which faces are cut; they are then resized.
        batch: How many pictures it takes at once; None for any number.
        free: Whether the file leaves height or width open.
    """

    name: str
    kind: str
    dtype: type[np.generic]
    layout: Layout
    size: tuple[int, int]
    window: tuple[int, int]
    batch: int | None
    free: bool

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of one picture."""
        height, width = self.size
        return (1, 3, height, width) if self.layout == "nchw" else (1, height, width, 3)

    @property
    def words(self) -> str:
        """How faces are shown to the net, such as "112x112" or "112x112, resized to 160x160"."""
        cut, taken = ("{}x{}".format(*sides) for sides in (self.window, self.size))
        return cut if cut == taken else f"{cut}, resized to {taken}"

    def feed(self, crops: NDArray[np.uint8], pixels: Pixels | None) -> NDArray[Any]:
        """Crops of the window's size, uint8 [B, H, W, 3] RGB, as the net takes them; uint8 where `pixels` is None."""
        if self.size != self.window:
            enlarged = self.size > self.window
            interpolation = cv2.INTER_LINEAR if enlarged else cv2.INTER_AREA
            crops = np.stack([cv2.resize(crop, self.size[::-1], interpolation=interpolation) for crop in crops])
        if self.dtype is np.uint8:
            taken: NDArray[Any] = crops if pixels is None or pixels.channels == "rgb" else crops[..., ::-1]
        else:
            taken = crops.astype(np.float32) if pixels is None else pixels(crops)
        ordered = taken if self.layout == "nhwc" else taken.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(ordered, dtype=self.dtype)


def read_input(
    what: str, inputs: list[Any], size: tuple[int, int] | None = None, layout: Layout | None = None
) -> OnnxInput:
    """Finds out what a file takes.

    Args:
        what: Names the file in messages.
        inputs: As onnxruntime lists them, each with name, type and shape.
        size: (height, width) that the caller gives; None takes the file's own, which must be a crop convention's.
        layout: As the caller gives it; None reads it off the shape.

    Raises:
        UsageError: What the caller gives does not fit the file, or must be given.
        FacedistillError: It is no input of a face embedder.
    """
    if len(inputs) != 1:
        names = ", ".join(f"{entry.name} {list(entry.shape or [])}" for entry in inputs)
        raise FacedistillError(f"{what} has {len(inputs)} inputs ({names}); {_EXPECTED}")
    (entry,) = inputs
    kind, shape = entry.type, list(entry.shape or [])
    declared = f"{kind.removeprefix('tensor').strip('()')} {shape}"
    if len(shape) != 4 or kind not in _TYPES:
        raise FacedistillError(f"{what} takes {declared}; {_EXPECTED}")
    sides = [side if isinstance(side, int) and side > 0 else None for side in shape]
    found = _layout(what, declared, sides, layout)
    own = (sides[1], sides[2]) if found == "nhwc" else (sides[2], sides[3])
    taken = _size(what, declared, own, size)
    window = _window(what, taken, given=size is not None)
    return OnnxInput(entry.name, declared, _TYPES[kind], found, taken, window, sides[0], free=None in own)


def _layout(what: str, declared: str, sides: list[int | None], given: Layout | None) -> Layout:
    if given not in (None, "nchw", "nhwc"):
        raise UsageError(f"{what}: layout is {given!r}; give nchw or nhwc")
    fits: list[Layout] = []
    if sides[1] in (3, None):
        fits.append("nchw")
    if sides[3] in (3, None):
        fits.append("nhwc")
    stated: list[Layout] = [each for each in fits if sides[1 if each == "nchw" else 3] == 3]
    if given is not None:
        if given not in fits:
            raise UsageError(f"{what} takes {declared}, which is not {given}; leave --layout out")
        return given
    if len(stated) == 1:
        return stated[0]
    if fits:
        raise UsageError(f"{what} takes {declared}, which may be either layout; give --layout nchw or --layout nhwc")
    raise FacedistillError(f"{what} takes {declared}; {_EXPECTED}")


def _size(
    what: str, declared: str, own: tuple[int | None, int | None], given: tuple[int, int] | None
) -> tuple[int, int]:
    if given is not None:
        if any(mine not in (side, None) for mine, side in zip(own, given, strict=True)):
            raise UsageError(f"{what} takes {declared}, not {given[0]}x{given[1]} pixels; leave --size out")
        return given
    height, width = own
    if height is None or width is None:
        raise UsageError(
            f"{what} takes {declared}, pictures of any size; give --size HEIGHTxWIDTH, those it was trained with, "
            "such as --size 112x112"
        )
    return height, width


def _window(what: str, size: tuple[int, int], given: bool) -> tuple[int, int]:
    """The convention by which faces are cut for a net that takes (height, width)."""
    try:
        return crop_convention(size).size
    except UsageError as error:
        height, width = size
        likeness = next(
            (like for like in ((112, 112), (112, 96)) if height * like[1] == width * like[0] and height in _SIDES), None
        )
        if likeness is None:
            raise UsageError(f"{what}: {error}; of other sizes only squares, and 7:6, of 32 to 512 rows") from None
        if not given:
            raise UsageError(
                f"{what}: {error}; give --size {height}x{width} to show it faces as in {likeness[0]}x{likeness[1]}, "
                "resized"
            ) from None
        return likeness
