"""What a net's numbers were trained on, and how a net that was trained elsewhere takes our crops."""

from dataclasses import dataclass
from typing import Literal

OUR_MEAN, OUR_STD = 127.5, 128.0


@dataclass(frozen=True)
class Preprocessing:
    """(pixel - mean) / std, of pixels 0..255 in a channel order.

    Attributes:
        mean: Subtracted from each pixel.
        std: What the difference is divided by; more than 0.
        channels: The order of the channels.
    """

    mean: float = OUR_MEAN
    std: float = OUR_STD
    channels: Literal["rgb", "bgr"] = "rgb"

    def __str__(self) -> str:
        return f"{self.channels.upper()}, (x - {self.mean:g}) / {self.std:g}"

    @property
    def offset(self) -> float:
        """What is added to `normalise_crops`' values, before they are multiplied by OUR_STD / std."""
        return (OUR_MEAN - self.mean) / OUR_STD
