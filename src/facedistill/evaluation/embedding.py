"""The embeddings of crops, as they are and as they look at so many rows; read batch by batch."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.camera import photograph
from facedistill.evaluation.metrics import Float, unit_rows
from facedistill.model_file import NATIVE
from facedistill.progress import track
from facedistill.variance import degrade_face

_CROPS_AT_ONCE = 64

Crop = NDArray[np.uint8]
Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
Change = Callable[[Crop, int], Crop]  # of a crop and its place


def embed_at(embed: Embed, crops: Sequence[Crop], resolutions: Sequence[int]) -> dict[str, Float]:
    """Unit embeddings [N, D] of the crops: {"native": ..., "30": ..., ...}, each condition embedded once.

    Raises:
        UsageError: A resolution is repeated, or the crops differ in size.
        FacedistillError: An embedding is zero or NaN, or their number is not that of the crops.
    """
    if len(set(resolutions)) != len(resolutions):
        raise UsageError(f"a resolution is given twice: {list(resolutions)}")
    changes: dict[str, Change] = {str(rows): partial(_degraded, rows=rows) for rows in resolutions}
    return _embed_changed(embed, crops, {NATIVE: lambda crop, _place: crop} | changes)


def embed_photographed(embed: Embed, crops: Sequence[Crop], resolutions: Sequence[int], seed: int) -> dict[str, Float]:
    """As `embed_at`, but as a camera sees them at so many rows, and not native."""
    return _embed_changed(embed, crops, {str(rows): partial(photograph, rows=rows, seed=seed) for rows in resolutions})


def _degraded(crop: Crop, _place: int, rows: int) -> Crop:
    return degrade_face(crop, rows)


def _embed_changed(embed: Embed, crops: Sequence[Crop], changes: Mapping[str, Change]) -> dict[str, Float]:
    """Unit embeddings [N, D] of the crops after each change."""
    starts = range(0, len(crops), _CROPS_AT_ONCE)
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in changes}
    sizes = set()
    # Batch by batch, not condition by condition: crops that are read when they are wanted are read once.
    for start in track(starts, "embedding faces", unit="batches"):
        batch = crops[start : start + _CROPS_AT_ONCE]
        sizes |= {crop.shape[:2] for crop in batch}
        if len(sizes) > 1:
            first, other = sorted(sizes)[:2]
            raise UsageError(
                f"the pictures differ in size (such as {first[0]}x{first[1]} and {other[0]}x{other[1]}); align them to "
                "one with `facedistill prepare`"
            )
        for name, change in changes.items():
            changed = [change(crop, place) for place, crop in enumerate(batch, start)]
            parts[name].append(embed_batch(embed, changed))
    return {name: unit_rows(np.concatenate(rows), f"the embeddings at {name}") for name, rows in parts.items()}


def embed_batch(embed: Embed, crops: Sequence[Crop]) -> NDArray[np.float32]:
    """The embeddings [B, D] of crops of one size, as the model gives them.

    Raises:
        FacedistillError: Their number is not that of the crops.
    """
    rows = np.asarray(embed(np.stack(crops)))
    if rows.ndim != 2 or len(rows) != len(crops):
        raise FacedistillError(f"the model gave an array of shape {rows.shape} for {len(crops)} faces")
    return rows
