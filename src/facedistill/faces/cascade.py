"""The geometry between MTCNN's nets, in plain numpy.

A box is (x1, y1, x2, y2): the positions of its left, top, right and bottom edge in pixels, where a pixel in
column c reaches from c to c + 1. So its width is x2 - x1, and `image[y1:y2, x1:x2]` shows just the box.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_CELL = 12  # P-Net's window
_STRIDE = 2  # pixels between neighbouring windows
_STEP = 0.709  # from one level of the pyramid to the next: about half the area


def pyramid_sizes(height: int, width: int, min_face: int) -> list[tuple[int, int]]:
    """(height, width) of every level of the pyramid, the largest first.

    On the first level a face of `min_face` pixels fills P-Net's window, on the last one the shorter side does.
    """
    sizes = []
    scale = _CELL / min_face
    while min(height, width) * scale >= _CELL:
        sizes.append((round(height * scale), round(width * scale)))
        scale *= _STEP
    return sizes


def window_boxes(scores: Floats, threshold: float, first_row: int = 0) -> tuple[Floats, NDArray[np.bool_]]:
    """The windows of P-Net's score map [rows, columns] above `threshold`.

    Args:
        scores: Probability of a face in each window.
        threshold: 0..1.
        first_row: The row of the whole map at which this part of it begins.

    Returns:
        Boxes [n, 4] in pixels of the level, and the mask [rows, columns] of the n chosen windows.
    """
    chosen = scores > threshold
    rows, columns = np.nonzero(chosen)
    corners = np.stack([columns, rows + first_row], axis=1) * float(_STRIDE)
    return np.concatenate([corners, corners + _CELL], axis=1), chosen


def shift_edges(boxes: Floats, offsets: NDArray[np.floating]) -> Floats:
    """Moves each edge of `boxes` [n, 4] by `offsets` [n, 4], given in box widths and heights."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return boxes + offsets * np.tile(sides, 2)


def square_windows(boxes: Floats) -> NDArray[np.int64]:
    """The square of whole pixels around the same centre that is as long as each box's longer side, at least 1."""
    side = np.maximum(np.rint((boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True)), 1)
    corner = np.rint((boxes[:, :2] + boxes[:, 2:] - side) / 2)
    return np.concatenate([corner, corner + side], axis=1).astype(np.int64)


def suppress(
    boxes: Floats, scores: NDArray[np.floating], threshold: float, over_smaller: bool = False
) -> NDArray[np.intp]:
    """Greedy non-maximum suppression.

    The best box is kept and all that overlap it by more than `threshold` are dropped, then the best of the rest, and
    so on. Equal scores keep their order.

    Args:
        boxes: [n, 4].
        scores: [n].
        threshold: Greatest overlap that is kept: intersection over union.
        over_smaller: Take the intersection over the smaller box instead, so that a box within a box goes, too.

    Returns:
        Indices of the boxes that are kept, best first.
    """
    order = np.argsort(-scores, kind="stable")
    areas = (boxes[:, 2:] - boxes[:, :2]).clip(min=0).prod(axis=1)
    kept = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(best)
        corner = np.maximum(boxes[best, :2], boxes[rest, :2])
        common = (np.minimum(boxes[best, 2:], boxes[rest, 2:]) - corner).clip(min=0).prod(axis=1)
        whole = np.minimum(areas[best], areas[rest]) if over_smaller else areas[best] + areas[rest] - common
        order = rest[common <= threshold * whole]
    return np.array(kept, dtype=np.intp)


def cut_windows(image: NDArray[np.uint8], windows: NDArray[np.int64], side: int) -> NDArray[np.uint8]:
    """Each square window [n, 4] of the picture at `side` x `side` pixels: uint8 [n, side, side, 3].

    Shrunk by area, enlarged bilinearly; beyond the picture all is mid-grey, the zero of the nets' input.
    """
    height, width = image.shape[:2]
    cuts = np.empty((len(windows), side, side, 3), dtype=np.uint8)
    for cut, (x1, y1, x2, y2) in zip(cuts, windows.tolist(), strict=True):
        inside = image[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)]
        if x1 < 0 or y1 < 0 or x2 > width or y2 > height:
            whole = np.full((y2 - y1, x2 - x1, 3), 128, dtype=np.uint8)
            top, left = max(-y1, 0), max(-x1, 0)
            whole[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
            inside = whole
        shrinks = x2 - x1 > side
        cut[:] = cv2.resize(inside, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return cuts
