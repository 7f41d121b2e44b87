"""A face that was aligned less well."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from facedistill.checks import check_number
from facedistill.variance.checks import Crop
from facedistill.variance.drawn import DrawnVariance

if TYPE_CHECKING:
    from torch import Tensor


T = TypeVar("T", np.uint8, np.float32)


class Placement(NamedTuple):
    """What is drawn for one crop.

    Attributes:
        angle: Turn, degrees.
        scale: Scale.
        shift: Shift in x and in y, float64 [2]; fractions of the crop's width and height.
    """

    angle: float
    scale: float
    shift: NDArray[np.float64]

    def matrix(self, height: int, width: int) -> NDArray[np.float64]:
        """float64 [2, 3], from pixels (x, y) of a crop of `height` x `width` to those of the moved one."""
        middle = ((width - 1) / 2, (height - 1) / 2)
        matrix = np.array(cv2.getRotationMatrix2D(middle, self.angle, self.scale), dtype=np.float64)
        matrix[:, 2] += self.shift * (width, height)
        return matrix


@dataclass(frozen=True)
class ShiftRotate(DrawnVariance[Placement]):
    """Shifts, turns and scales a share of the crops about their middle; the border is repeated outwards.

    Attributes:
        shift: Shift in x and in y, each drawn from -shift..shift; a fraction of the crop's width and height.
        angle: Turn, drawn from -angle..angle; degrees.
        scale: Scale, drawn from 1 - scale..1 + scale.
        probability: Share of the crops that are moved.
    """

    shift: float = 0.04
    angle: float = 8.0
    scale: float = 0.08
    probability: float = 0.5

    def __post_init__(self) -> None:
        check_number("shift_rotate: shift", self.shift, 0, 0.5)
        check_number("shift_rotate: angle", self.angle, 0, 180)
        check_number("shift_rotate: scale", self.scale, 0, 0.9)
        check_number("shift_rotate: probability", self.probability, 0, 1)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> Placement | None:
        """Draws turn, scale and shift."""
        if rng.random() >= self.probability:
            return None
        angle = rng.uniform(-self.angle, self.angle)
        scale = rng.uniform(1 - self.scale, 1 + self.scale)
        return Placement(angle, scale, rng.uniform(-self.shift, self.shift, 2))

    def change(self, crop: Crop, draws: Placement) -> Crop:
        """Moves the face within uint8 [H, W, 3]."""
        return move(crop, draws.matrix(*crop.shape[:2]))

    def change_batch(self, crops: "Tensor", draws: Sequence[Placement]) -> "Tensor":
        """Moves the faces within float32 [N, 3, H, W].

        `change` may find points to a 32nd pixel only: where neighbours differ by d levels, the two differ by d / 32 in
        x and y each, and by one for rounding.
        """
        from facedistill.variance.batched import warp

        height, width = crops.shape[2:]
        return warp(crops, np.stack([drawn.matrix(height, width) for drawn in draws]), height, width)


def move(crop: NDArray[T], matrix: NDArray[np.float64]) -> NDArray[T]:
    """uint8 or float32 [H, W, 3] moved by float64 [2, 3], from its pixels (x, y) to those of the answer of its size."""
    size = crop.shape[1::-1]
    moved = cv2.warpAffine(crop, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, dtype=crop.dtype)
