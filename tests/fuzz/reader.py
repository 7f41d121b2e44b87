"""What a harness gives: whole files of one kind, and the function that reads them."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import readers

Files = Mapping[str, bytes]
"""Name -> content."""


def unchanged(parts: Files) -> Files:
    return parts


@dataclass(frozen=True)
class Reader:
    """A reader of foreign files.

    Attributes:
        goldens: Makes whole examples, each as the parts that are mutated.
        read: Reads the files in a folder; may raise FacedistillError, and nothing else.
        assemble: Makes files of parts, so that mutations lie behind checksums and compression.
        tokens: Bytes that mean something in the format; they are inserted, once or many times.
    """

    goldens: Callable[[], Sequence[Files]]
    read: Callable[[Path], object]
    assemble: Callable[[Files], Files] = unchanged
    tokens: Sequence[bytes] = (b"\0",)


def reader_names() -> list[str]:
    """Each module in `tests/fuzz/readers` is a harness."""
    return sorted(module.name for module in pkgutil.iter_modules(readers.__path__))


def load_reader(name: str) -> Reader:
    """The attribute READER of a harness; only its own reader is imported."""
    reader: Reader = importlib.import_module(f"{readers.__name__}.{name}").READER
    return reader
