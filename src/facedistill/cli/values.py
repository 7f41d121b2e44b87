"""What commands read from and write for their arguments."""

import json
from pathlib import Path
from typing import Any

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
        text = json.dumps(content, indent=1)
    except (TypeError, ValueError) as error:  # figures of another package's protocol
        raise UsageError(f"{path}: {error}; a result's to_json() must give plain numbers, text and lists") from None
    write_text(Path(path), text + "\n")
