"""Light of another colour."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facedistill.checks import check_range
from facedistill.views.part import Context, Picture, PixelPart

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Channels(PixelPart[NDArray[np.float32]]):
    """Multiplies each colour channel by a factor of its own.

    Attributes:
        factor: (least, most) factor, drawn uniformly in its logarithm.
    """

    factor: Sequence[float] = (0.8, 1.25)

    def __post_init__(self) -> None:
        check_range("channels: factor", self.factor, 0.25, 4)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
        """Draws three factors."""
        least, most = np.log(self.factor)
        return np.asarray(np.exp(rng.uniform(least, most, 3)), dtype=np.float32)

    def change(self, picture: Picture, draws: NDArray[np.float32], context: Context[Picture]) -> Picture:
        """Multiplies float32 [h, w, 3]."""
        return picture * draws

    def change_batch(
        self, pictures: "Tensor", draws: Sequence[NDArray[np.float32]], context: "Context[Tensor]"
    ) -> "Tensor":
        """Multiplies float32 [N, 3, h, w]."""
        import torch

        return pictures * torch.from_numpy(np.stack(draws)).to(pictures.device)[:, :, None, None]
