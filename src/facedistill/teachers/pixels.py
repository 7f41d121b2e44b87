"""How pixels are brought into the range and channel order that a foreign net was trained with."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Channels = Literal["rgb", "bgr"]


@dataclass(frozen=True)
class Pixels:
    """The preprocessing of a net: channel order, and (x - mean) / std of pixels 0..255.

    Attributes:
        mean: Subtracted from each pixel.
        std: What the difference is divided by.
        channels: The order of the channels.
    """

    mean: float = 127.5
    std: float = 127.5
    channels: Channels = "rgb"

    def __str__(self) -> str:
        """In words, such as "RGB, (x - 127.5) / 127.5"."""
        return f"{self.channels.upper()}, (x - {self.mean:g}) / {self.std:g}"

    @property
    def options(self) -> str:
        """The options of the command line that give it."""
        return f"--mean {self.mean:g} --std {self.std:g} --channels {self.channels}"

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Brings crops [B, H, W, 3] RGB into the net's range and channel order: float32 of the same shape."""
        ordered = crops if self.channels == "rgb" else crops[..., ::-1]
        return (ordered.astype(np.float32) - np.float32(self.mean)) / np.float32(self.std)
