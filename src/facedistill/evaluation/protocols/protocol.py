"""What a protocol is, and the registries of ours.

A protocol's module defines a frozen dataclass whose fields are the protocol's options and registers it:

    @PROTOCOLS.register("lfw")
    @dataclass(frozen=True)
    class Lfw:
        resolutions: Sequence[int] = RESOLUTIONS

        def run(self, embed: Embed, path: Path, size: tuple[int, int]) -> LfwResult: ...

One line in this package's `__init__` imports the module.
"""

import typing
from pathlib import Path

from facedistill.evaluation.embedding import Embed
from facedistill.evaluation.results import Result
from facedistill.registry import Registry


class Protocol(typing.Protocol):
    """A way to evaluate an embedding; its fields are its options."""

    def run(self, embed: Embed, path: Path | None, size: tuple[int, int]) -> Result:
        """Evaluates.

        Args:
            embed: Crops uint8 [B, height, width, 3], RGB, of `size` -> [B, D], of any length but zero.
            path: Path of the data; None where the call names none, as it may for another package's protocol.
            size: (height, width) of the crops.

        Raises:
            UsageError: `path` is not laid out as the protocol's module describes, or an option is out of range.
            FacedistillError: The data are damaged or too few.
        """


PROTOCOLS: Registry[Protocol] = Registry("protocol")
"""Called as NAME:FOLDER."""

SETS: Registry[Protocol] = Registry("protocol for")
"""How the other kinds of sources are evaluated, by `Source.kind`."""
