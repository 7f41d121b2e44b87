"""A variance in two steps: what is drawn at random, and what it does to a crop or to a batch."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from facedistill.variance.checks import Crop, check_crop

if TYPE_CHECKING:
    from torch import Tensor

D = TypeVar("D")


class DrawnVariance(ABC, Generic[D]):
    """A variance whose random numbers are drawn apart from its work, so that a device can do the work in batches.

    The draws are a small frozen tuple of numbers and arrays, or None where the crop stays as it is. The same draws give
    the same picture on numpy and on torch, within the bound that the part states.
    """

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Crop:
        """Draws for uint8 [H, W, 3] and applies it; equal to `apply(crop, draw(rng, H, W))`."""
        check_crop(crop)
        return self.apply(crop, self.draw(rng, *crop.shape[:2]))

    def apply(self, crop: Crop, draws: D | None) -> Crop:
        """Changes uint8 [H, W, 3] as drawn; returns it as it is where `draws` is None.

        Raises:
            UsageError: `crop` is no crop, or too small for the draws.
        """
        check_crop(crop)
        return crop if draws is None else self.change(crop, draws)

    def apply_batch(self, crops: "Tensor", draws: Sequence[D | None]) -> "Tensor":
        """Changes each crop as drawn for it, on the device where the crops are.

        Args:
            crops: uint8 or float32 [B, 3, H, W], 0..255, RGB.
            draws: What `draw` gave, one a crop; where None, the crop stays as it is.

        Returns:
            [B, 3, H, W] of the same type on the same device, changed crops in whole grey levels 0..255; `crops` itself
            where nothing is drawn.

        Raises:
            UsageError: `crops` is no such batch or too small for the draws, or there are not as many draws as crops.
        """
        from facedistill.variance import batched  # torch is loaded by those who use it

        return batched.change_drawn(crops, draws, self.change_batch)

    def rows_left(self, draws: D) -> int | None:
        """How many rows of pixels are left of the crop; None where the resolution stays."""
        del draws
        return None

    @abstractmethod
    def draw(self, rng: np.random.Generator, height: int, width: int) -> D | None:
        """Draws for a crop of `height` x `width` pixels; None where it stays as it is."""

    @abstractmethod
    def change(self, crop: Crop, draws: D) -> Crop:
        """Changes a crop uint8 [H, W, 3], already checked; the answer shares no memory with it."""

    @abstractmethod
    def change_batch(self, crops: "Tensor", draws: Sequence[D]) -> "Tensor":
        """Changes crops float32 [N, 3, H, W], each of them drawn for; the answer is rounded to grey levels later."""
