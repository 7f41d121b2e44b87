"""Contact sheets: many pictures in one image."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedistill.files import write_bytes
from facedistill.pictures import encode_picture

_GAP = 2
_PREVIEWED = 8


def contact_sheet(pictures: Sequence[NDArray[np.uint8]], columns: int) -> NDArray[np.uint8]:
    """A contact sheet of pictures of one size, in rows of `columns`, on white: uint8 [H, W, 3]."""
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, 3), 255, np.uint8)
    for place, picture in enumerate(pictures):
        top, left = (_GAP + (place // columns) * (height + _GAP), _GAP + (place % columns) * (width + _GAP))
        sheet[top : top + height, left : left + width] = picture
    return sheet


def write_preview(path: Path, crops: Callable[[int], NDArray[np.uint8]], labels: NDArray[np.int64]) -> None:
    """Writes a PNG with a row per person: the first 8 pictures of the first 8 people of a set.

    Args:
        path: The PNG.
        crops: Index in the set -> uint8 [H, W, 3].
        labels: int64 [N], the label of each picture.
    """
    chosen = [index for person in range(_PREVIEWED) for index in np.flatnonzero(labels == person)[:_PREVIEWED]]
    columns = min(_PREVIEWED, int(np.bincount(labels).max()))
    write_bytes(path, encode_picture(contact_sheet([crops(int(i)) for i in chosen], columns), ".png"))


def sorted_sheet(
    pictures: Sequence[NDArray[np.uint8]], value: Callable[[int], float], columns: int, rows: int
) -> NDArray[np.uint8]:
    """A contact sheet of columns x rows pictures at even steps of the order by `value(index)`."""
    order = sorted(range(len(pictures)), key=value)
    places = np.linspace(0, len(order) - 1, columns * rows).round().astype(int)
    return contact_sheet([pictures[order[place]] for place in places], columns)
