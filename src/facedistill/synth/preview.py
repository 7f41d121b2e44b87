"""Contact sheets: many pictures on one page, to be looked at."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets import FaceSet
from facedistill.files import write_bytes
from facedistill.pictures import encode_picture

_GAP = 2


def contact_sheet(pictures: Sequence[NDArray[np.uint8]], columns: int) -> NDArray[np.uint8]:
    """Pictures of one size in rows of `columns`, on white. uint8 [H, W, 3]."""
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, 3), 255, np.uint8)
    for place, picture in enumerate(pictures):
        top, left = (_GAP + (place // columns) * (height + _GAP), _GAP + (place % columns) * (width + _GAP))
        sheet[top : top + height, left : left + width] = picture
    return sheet


def write_preview(path: Path, faces: FaceSet, people: int = 8, pictures: int = 8) -> None:
    """A row a person: the first `pictures` of the first `people` of a set, as a PNG."""
    labels = faces.labels
    shown = range(min(people, faces.classes))
    chosen = [index for person in shown for index in np.flatnonzero(labels == person)[:pictures]]
    columns = min(pictures, int(np.bincount(labels).max()))
    write_bytes(path, encode_picture(contact_sheet([faces[int(i)].image for i in chosen], columns), ".png"))


def sorted_sheet(
    pictures: Sequence[NDArray[np.uint8]], value: Callable[[int], float], columns: int, rows: int
) -> NDArray[np.uint8]:
    """Pictures spread evenly over the order of `value(index)`: from one extreme to the other."""
    order = sorted(range(len(pictures)), key=value)
    places = np.linspace(0, len(order) - 1, columns * rows).round().astype(int)
    return contact_sheet([pictures[order[place]] for place in places], columns)
