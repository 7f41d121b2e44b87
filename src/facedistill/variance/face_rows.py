"""Rows of a face: those of its aligned 112-row window, whichever part of that a crop shows.

A crop of 150x150 shows .92 of the window's rows and one of 128x112 more than all, so that the same face shrunk to 16
rows has 14.7 rows in the one and 18.3 in the other.
"""

import math
from collections.abc import Callable

import cv2

from facedistill.checks import MOST_SIDE, check_count
from facedistill.errors import UsageError
from facedistill.faces import shown_rows
from facedistill.variance.checks import Crop, as_crop, check_crop
from facedistill.variance.matching import CROP_ROWS
from facedistill.variance.resolution import degrade

_ROUNDING = 1e-6  # of a small pixel


def degrade_face(crop: Crop, rows: int) -> Crop:
    """The standard degradation of a face to so many rows, for a crop of any convention.

    Of crops of 112 rows, and of a size that is no convention's, it is `degrade`.

    Args:
        crop: uint8 [H, W, 3].
        rows: Of the aligned 112-row window, from 1 on; no more than the crop resolves.

    Returns:
        uint8 [H, W, 3].

    Raises:
        UsageError: `crop` is no crop, or `rows` is out of range.
    """
    return at_face_rows(crop, rows, degrade)


def at_face_rows(crop: Crop, rows: int, change: Callable[[Crop, int], Crop]) -> Crop:
    """What `change` makes of a face that has so many rows.

    Where the crop's height is no whole number of small pixels, it is continued by its border pixels until it is.

    Args:
        crop: uint8 [H, W, 3].
        rows: Of the aligned 112-row window; a crop of no known convention is taken for the window itself.
        change: A crop and the rows that all of it is shrunk to -> a crop of the same shape.

    Returns:
        uint8 [H, W, 3].

    Raises:
        UsageError: `crop` is no crop, or `rows` is no whole number from 1 on.
    """
    check_crop(crop)
    check_count("rows of a face", rows, 1, MOST_SIDE)
    height, width = crop.shape[:2]
    covered = rows * _share(height, width)
    left = math.ceil(covered - _ROUNDING)
    more = max(round(left * height / covered) - height, 0)
    if not more:
        return change(crop, left)
    top = more // 2
    continued = as_crop(cv2.copyMakeBorder(crop, top, more - top, 0, 0, cv2.BORDER_REPLICATE))
    return change(continued, left)[top : top + height]


def _share(height: int, width: int) -> float:
    """The crop's height over the window's."""
    try:
        return shown_rows((height, width)) / CROP_ROWS
    except UsageError:  # of no convention
        return 1.0
