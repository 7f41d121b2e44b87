"""The noise of a camera in poor light."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facedistill.checks import check_number, check_range
from facedistill.variance.checks import Crop
from facedistill.variance.drawn import DrawnVariance

if TYPE_CHECKING:
    from torch import Tensor


class Noise(NamedTuple):
    """What is drawn for one crop.

    Attributes:
        sigma: Standard deviation in grey levels.
        values: Standard normal numbers, float32 [H, W, 3].
    """

    sigma: np.float32
    values: NDArray[np.float32]


@dataclass(frozen=True)
class GaussianNoise(DrawnVariance[Noise]):
    """Adds independent Gaussian noise to every value of a share of the crops.

    Attributes:
        sigma: (least, most) standard deviation in grey levels (0..255), drawn uniformly once per crop.
        probability: Share of the crops that get noise.
    """

    sigma: Sequence[float] = (0.0, 10.0)
    probability: float = 0.3

    def __post_init__(self) -> None:
        check_range("noise: sigma", self.sigma, 0, 255)
        check_number("noise: probability", self.probability, 0, 1)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> Noise | None:
        """Draws the width, then a number for every value of the crop."""
        if rng.random() >= self.probability:
            return None
        sigma = np.float32(rng.uniform(self.sigma[0], self.sigma[1]))
        return Noise(sigma, rng.standard_normal((height, width, 3), dtype=np.float32))

    def change(self, crop: Crop, draws: Noise) -> Crop:
        """Adds noise to uint8 [H, W, 3]."""
        return np.rint(crop + draws.sigma * draws.values).clip(0, 255).astype(np.uint8)

    def change_batch(self, crops: "Tensor", draws: Sequence[Noise]) -> "Tensor":
        """Adds noise to float32 [N, 3, H, W]; within one level of `change`, as a device may round otherwise."""
        import torch

        from facedistill.variance.batched import column

        values = torch.from_numpy(np.stack([drawn.values for drawn in draws])).to(crops.device)
        return crops + column([float(drawn.sigma) for drawn in draws], crops) * values.permute(0, 3, 1, 2)
