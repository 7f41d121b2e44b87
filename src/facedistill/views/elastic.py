"""An elastic warp: another face shape, which no renderer has drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facedistill.checks import check_number
from facedistill.errors import UsageError
from facedistill.views.part import Warp

if TYPE_CHECKING:
    from torch import Tensor

_WAVES = 4
_STEEPEST = 0.9  # of 1, where a warp begins to fold


class Waves(NamedTuple):
    """Displacement: the sum of amplitude x sin(2 pi (frequency . place + phase)).

    Attributes:
        amplitude: float64 [K, 2], in x and y; fractions of the picture's sides.
        frequency: float64 [K, 2], cycles per side in x and y.
        phase: float64 [K], 0..1.
    """

    amplitude: NDArray[np.float64]
    frequency: NDArray[np.float64]
    phase: NDArray[np.float64]


@dataclass(frozen=True)
class Elastic(Warp[Waves]):
    """Warps a share of the pictures smoothly.

    Elastic distortions are those of Simard et al. (ICDAR 2003, "Best practices for convolutional neural networks
    applied to visual document analysis"). Where they smooth random numbers, this adds up four random waves: a formula
    that is the same at every place, whatever crop is cut there.

    Attributes:
        strength: Most that a place is displaced in x and in y each, a fraction of the picture's sides.
        cycles: Most cycles of a wave across a side.
        probability: Share of the pictures that are warped.

    Raises:
        UsageError: An attribute is out of range, or both together may fold the face.
    """

    strength: float = 0.05
    cycles: float = 2.0
    probability: float = 0.6

    def __post_init__(self) -> None:
        check_number("elastic: strength", self.strength, 0, 0.5)
        check_number("elastic: cycles", self.cycles, 0, 20)
        check_number("elastic: probability", self.probability, 0, 1)
        # Each of the two displacements changes by at most 2 pi strength cycles a side.
        if (steepest := 2**1.5 * np.pi * self.strength * self.cycles) > _STEEPEST:
            raise UsageError(
                f"elastic: strength {self.strength:g} with cycles {self.cycles:g} may fold the face; "
                f"strength must be at most {self.strength * _STEEPEST / steepest:.3g}"
            )

    @property
    def furthest(self) -> float:
        """It is the strength."""
        return self.strength

    def draw(self, rng: np.random.Generator, height: int, width: int) -> Waves | None:
        """Draws the waves."""
        if rng.random() >= self.probability:
            return None
        amplitude = rng.uniform(-self.strength / _WAVES, self.strength / _WAVES, (_WAVES, 2))
        # Along any way through the picture, a wave has no more than `cycles`.
        turn, cycles = rng.uniform(0, 2 * np.pi, _WAVES), rng.uniform(0, self.cycles, _WAVES)
        frequency = np.stack([np.cos(turn), np.sin(turn)], axis=1) * cycles[:, None]
        return Waves(amplitude, frequency, rng.random(_WAVES))

    def displace(self, places: NDArray[np.float64], draws: Waves) -> NDArray[np.float64]:
        """Adds up the waves at float64 [h, w, 2]."""
        # float32 is as fine as a thousandth of a pixel, and twice as fast.
        turns = places.astype(np.float32) @ draws.frequency.T.astype(np.float32) + draws.phase.astype(np.float32)
        waves = np.sin(np.float32(2 * np.pi) * turns)
        return np.asarray(waves @ draws.amplitude.astype(np.float32), dtype=np.float64)

    def displace_batch(self, places: "Tensor", draws: Sequence[Waves]) -> "Tensor":
        """Adds up N draws' waves at float32 [h, w, 2]."""
        import torch

        amplitude, frequency, phase = (
            torch.tensor(np.stack(values), dtype=torch.float32, device=places.device)
            for values in zip(*draws, strict=True)
        )
        turns = places @ frequency.mT[:, None] + phase[:, None, None]  # [N, h, w, K]
        return torch.sin(2 * torch.pi * turns) @ amplitude[:, None]
