"""What a caller states about a foreign ONNX file, which the file itself does not."""

from dataclasses import astuple, dataclass, fields

from facedistill.checks import check_number, check_size
from facedistill.errors import UsageError
from facedistill.teachers.onnx_input import Layout
from facedistill.teachers.pixels import Channels, Pixels

_PIXELS = ("mean", "std", "channels")


@dataclass(frozen=True)
class Stated:
    """How to use a foreign ONNX file; None leaves it to what the file shows, or to the commonest.

    Attributes:
        mean: Subtracted from each pixel, 0..255.
        std: What the difference is divided by; more than 0.
        channels: The channel order that it was trained with.
        size: (height, width) of the pictures that it takes.
        layout: `nchw` or `nhwc`.
        output: The name of the output that is the embedding.

    Raises:
        UsageError: A number is out of range, or the channel order is none.
    """

    mean: float | None = None
    std: float | None = None
    channels: Channels | None = None
    size: tuple[int, int] | None = None
    layout: Layout | None = None
    output: str | None = None

    def __post_init__(self) -> None:
        if self.mean is not None:
            check_number("mean", self.mean, -1e4, 1e4)
        if self.std is not None:
            check_number("std", self.std, above=0, high=1e4)
        if self.channels not in (None, "rgb", "bgr"):
            raise UsageError(f"channels is {self.channels!r}; give rgb or bgr")
        if self.size is not None:
            check_size("size", self.size)

    @property
    def pixels(self) -> Pixels | None:
        """The preprocessing, where any of it is stated and it is not that which recipes held before by default."""
        stated = {name: getattr(self, name) for name in _PIXELS if getattr(self, name) is not None}
        pixels = Pixels(**stated)
        return None if pixels == Pixels() else pixels

    @property
    def names(self) -> list[str]:
        """What is stated."""
        return [each.name for each, value in zip(fields(self), astuple(self), strict=True) if value is not None]

    def refuse(self, what: str, *names: str) -> None:
        """Refuses what is stated about a net that carries it, but for what recipes held before by default.

        Args:
            what: Names the net.
            *names: What it carries; everything by default.

        Raises:
            UsageError: Names what is stated.
        """
        usual = () if self.pixels else _PIXELS
        carried = [name for name in self.names if (name in names or not names) and name not in usual]
        if carried:
            raise UsageError(f"teacher {what} carries its own preprocessing; leave {', '.join(carried)} out")
