"""The kinds of parts that a view is made of: geometry, warps, and what changes pixels."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import UsageError
from facedistill.views.cut import Cut, Matrix, points, points_on

if TYPE_CHECKING:
    import torch
    from torch import Tensor

D = TypeVar("D")
P = TypeVar("P")

Picture: TypeAlias = NDArray[np.float32]
"""float32 [h, w, 3], RGB, 0..255 in fractions of grey levels."""


@dataclass(frozen=True)
class Context(Generic[P]):
    """What a part may need besides the crop that it changes.

    Attributes:
        second: The crop of the second face, moved and warped like the first; None where nothing needs it.
        cut: Where in the viewed picture the crop lies.
        height: Rows of the picture.
        width: Columns of the picture.
    """

    second: P | None
    cut: Cut
    height: int
    width: int

    @property
    def partner(self) -> P:
        """The crop of the second face.

        Raises:
            UsageError: There is none.
        """
        if self.second is None:
            raise UsageError("this view takes something from a second face; give it as partner")
        return self.second

    @property
    def points(self) -> NDArray[np.float64]:
        """float64 [h, w, 2], the place of each pixel of the crop as (x, y) fractions of the picture's sides."""
        return points(self.cut, self.height, self.width)

    def points_on(self, device: "torch.device") -> "Tensor":
        """`points` as float32 on a device."""
        return points_on(self.cut, self.height, self.width, device)

    @property
    def size(self) -> tuple[float, float]:
        """(width, height) of the picture in pixels of the crop."""
        return self.cut.size_of(self.height, self.width)


class ViewPart(ABC, Generic[D]):
    """A part of a view: draws are small, frozen and of any picture size; None leaves the picture as it is.

    Attributes:
        needs_partner: Whether it takes something from a second face.
    """

    needs_partner: ClassVar[bool] = False

    @abstractmethod
    def draw(self, rng: np.random.Generator, height: int, width: int) -> D | None:
        """Draws for a picture of `height` x `width` pixels; None where it stays as it is."""


class Geometry(ViewPart[Matrix]):
    """Moves the face by a matrix; all of a view are multiplied, so that pixels are interpolated once."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, height: int, width: int) -> Matrix | None:
        """The matrix float64 [3, 3] from pixels (x, y, 1) of the picture to those of the moved one."""

    @abstractmethod
    def extremes(self, height: int, width: int) -> Sequence[Matrix]:
        """The matrices at the ends of what may be drawn, at least one."""


class Warp(ViewPart[D]):
    """Moves the face another way at each place; it acts after all geometry, in the same interpolation."""

    @property
    def furthest(self) -> float:
        """The furthest that a place may be displaced in x or y, a fraction of the sides: whether a face is left."""
        return 0.0

    @abstractmethod
    def displace(self, places: NDArray[np.float64], draws: D) -> NDArray[np.float64]:
        """How far from each place the value is taken that is shown there.

        Args:
            places: float64 [h, w, 2], (x, y) as fractions of the picture's sides.
            draws: What `draw` gave.

        Returns:
            float64 [h, w, 2], as fractions of the picture's sides.
        """

    @abstractmethod
    def displace_batch(self, places: "Tensor", draws: Sequence[D]) -> "Tensor":
        """The same of float32 [h, w, 2] for N draws: float32 [N, h, w, 2]."""


class PixelPart(ViewPart[D]):
    """Changes grey levels; parts of a view are applied in its order, and levels are cut off at 0 and 255 after each."""

    def share(self, draws: D) -> float:
        """The share of the first face in what is shown, 1 unless the second one has a part in it."""
        return 1.0

    @abstractmethod
    def change(self, picture: Picture, draws: D, context: Context[Picture]) -> Picture:
        """Changes float32 [h, w, 3], which may be overwritten."""

    @abstractmethod
    def change_batch(self, pictures: "Tensor", draws: Sequence[D], context: "Context[Tensor]") -> "Tensor":
        """Changes float32 [N, 3, h, w]; the context holds N partners."""


def about_middle(linear: NDArray[np.float64], height: int, width: int) -> Matrix:
    """A linear map float64 [2, 2] of (x, y) that leaves the picture's middle where it is."""
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = middle - linear @ middle
    return matrix
