"""What commands share: reading an argument, checking outputs, writing figures."""

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from facedistill.checks import check_size
from facedistill.cli.screen import STDOUT, show_figures
from facedistill.errors import UsageError
from facedistill.files import check_output, write_text

_LONGEST_SIZE = 9  # 1024x1024


def crop_size(text: str) -> tuple[int, int]:
    """Reads 112x96 as (112, 96)."""
    height, cross, width = text.partition("x")
    if not (cross and height.isdecimal() and width.isdecimal() and len(text) <= _LONGEST_SIZE):
        raise UsageError(f"size is {text!r:.40}; give height x width, such as 112x96")
    return check_size("size", (int(height), int(width)))


def check_outputs(*paths: str | None) -> None:
    """Refuses names of files that cannot be written, before a command's work; see `files.check_output`."""
    for path in paths:
        if path is not None and not is_stdout(path):
            check_output(Path(path))


def is_stdout(path: str) -> bool:
    """Whether a name of an output is the screen: `-`, or another name of standard output, such as /dev/stdout."""
    if path == STDOUT:
        return True
    try:
        return os.path.samestat(Path(path).stat(), os.fstat(sys.__stdout__.fileno() if sys.__stdout__ else 1))
    except (OSError, ValueError):
        return False


def write_figures(path: str, text: str) -> None:
    """Writes text that a command was to write beside what it prints; to the screen for `-`."""
    if is_stdout(path):
        show_figures(text)
    else:
        write_text(Path(path), text)


def write_json(path: str, content: Any) -> None:
    """Writes figures as JSON, see `write_figures`."""
    try:
        text = json.dumps(content, indent=1, allow_nan=False)
    except (TypeError, ValueError) as error:  # figures of another package's protocol
        where = _not_finite(content)
        reason = f"{where} is no finite number, which JSON cannot hold" if where else str(error)
        raise UsageError(f"{path}: {reason}; a result's to_json() must give plain numbers, text and lists") from None
    write_figures(path, text + "\n")


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
