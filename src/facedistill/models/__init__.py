"""The recognisers that come with the package: which there are, and where they and their cards lie.

Beside each NAME.onnx of this folder lie its card, NAME.md, and the card's figures, NAME.json; `benchmarks/release.py`
writes all three.
"""

import difflib
import json
from pathlib import Path
from typing import Any

from facedistill.errors import FacedistillError, UsageError

DEFAULT = "slim-m"  # what is used where no model is named

FOLDER = Path(__file__).parent


def shipped_models() -> dict[str, Path]:
    """Name -> model file, the smallest first."""
    files = sorted(FOLDER.glob("*.onnx"), key=lambda path: path.stat().st_size)
    return {path.stem: path for path in files}


def model_path(named: str | Path) -> Path:
    """The file that is meant by the name of a shipped model, or by a path.

    Args:
        named: A name in `shipped_models`, or any path, whether there is such a file or not. A word without a folder and
            an ending is a name.

    Raises:
        UsageError: No shipped model has that name; the message lists those there are, and the nearest.
    """
    shipped, path = shipped_models(), Path(named)
    if str(named) in shipped:
        return shipped[str(named)]
    if path.suffix or path.name != str(named) or path.exists():
        return path
    raise UsageError(f"no shipped model is called {str(named)!r}; {nearest(str(named))}or give a model file's path")


def nearest(named: str) -> str:
    """What a message says behind a name that no shipped model has: the nearest one and all of them, or nothing."""
    shipped = shipped_models()
    near = difflib.get_close_matches(named, shipped, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}shipped: {', '.join(shipped)}; " if shipped else ""


def read_figures(name: str) -> dict[str, Any]:
    """The figures on the card of a shipped model, as `benchmarks/release.py` wrote them.

    Raises:
        FacedistillError: They are missing or damaged.
    """
    path = FOLDER / f"{name}.json"
    try:
        figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FacedistillError(f"{path} cannot be read ({error}); install facedistill again") from error
    return figures
