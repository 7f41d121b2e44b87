"""What commands share: reading an argument, writing figures, printing tables."""

import json
import math
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from facedistill.errors import UsageError
from facedistill.files import write_text


def crop_size(text: str) -> tuple[int, int]:
    """Reads 112x96 as (112, 96)."""
    height, cross, width = text.partition("x")
    if not (cross and height.isdecimal() and width.isdecimal()):
        raise UsageError(f"size is {text!r}; give height x width, such as 112x96")
    return int(height), int(width)


def write_json(path: str, content: Any) -> None:
    """Writes figures that a command was to write beside what it prints."""
    try:
        text = json.dumps(content, indent=1, allow_nan=False)
    except (TypeError, ValueError) as error:  # figures of another package's protocol
        where = _not_finite(content)
        reason = f"{where} is no finite number, which JSON cannot hold" if where else str(error)
        raise UsageError(f"{path}: {reason}; a result's to_json() must give plain numbers, text and lists") from None
    write_text(Path(path), text + "\n")


def console() -> Console:
    """Where tables are printed: as wide as the terminal, or wide enough for a file."""
    return Console(width=None if sys.stdout.isatty() else 160)


def _not_finite(content: Any, place: str = "") -> str | None:
    """Where the first NaN or infinity stands in figures, such as "orl.16.eer"; None without one."""
    if isinstance(content, float):
        return None if math.isfinite(content) else place or "it"
    inner: Iterable[tuple[Any, Any]] = ()
    if isinstance(content, Mapping):
        inner = content.items()
    elif isinstance(content, list | tuple):
        inner = enumerate(content)
    found = (_not_finite(value, f"{place}.{name}" if place else str(name)) for name, value in inner)
    return next((each for each in found if each), None)
