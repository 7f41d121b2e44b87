"""Scores counted in equal bins over [-1, 1]: memory that does not grow with their number."""

import numpy as np
from numpy.typing import NDArray

from facedistill.checks import check_count
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.metrics import Float, Int

BINS = 1 << 16
MOST_BINS = 1 << 20

_ROUNDING = 1e-5  # how far beyond 1 the cosine of float32 rows of unit length may come out
_SCORES_AT_ONCE = 1 << 20

Scores = NDArray[np.float32] | Float


def check_bins(bins: int) -> None:
    """Refuses numbers of bins whose edges are not exact in binary, or that need too much memory.

    Raises:
        UsageError: Not a power of two from 2 to `MOST_BINS`.
    """
    if (check_count("bins, a power of two,", bins, 2, MOST_BINS) & (bins - 1)) != 0:
        raise UsageError(f"bins must be a power of two from 2 to {MOST_BINS}, not {bins}")


def count_scores(scores: Scores, bins: int) -> Int:
    """How many scores lie in each bin.

    Bin k holds -1 + k * 2 / bins <= score < -1 + (k + 1) * 2 / bins, the last one (k = bins) the score 1 alone. As
    `bins` is a power of two, edges and comparisons are exact; scores beyond -1 or 1 by rounding count as -1 or 1.

    Args:
        scores: float32 or float64 [P].
        bins: A number that `check_bins` admits.

    Returns:
        int64 [bins + 1].

    Raises:
        FacedistillError: A score is NaN or infinite.
        UsageError: A score is not in [-1, 1].
    """
    half = bins // 2
    counts = np.zeros(bins + 1, dtype=np.int64)
    for start in range(0, len(scores), _SCORES_AT_ONCE):
        part = scores[start : start + _SCORES_AT_ONCE]
        least, greatest = float(part.min()), float(part.max())
        if not (np.isfinite(least) and np.isfinite(greatest)):  # min and max hand a NaN on
            raise FacedistillError("a score is NaN or infinite; check the embeddings it was made of")
        if least < -1 - _ROUNDING or greatest > 1 + _ROUNDING:
            raise UsageError(
                f"scores from {least:g} to {greatest:g} cannot be counted between -1 and 1; "
                "give cosine similarities, or take exact=True"
            )
        scaled = part * part.dtype.type(half)  # exact: a power of two
        np.floor(scaled, out=scaled)
        np.clip(scaled, -half, half, out=scaled)
        index = scaled.astype(np.int64)
        index += half
        counts += np.bincount(index, minlength=bins + 1)
    return counts


def lower_edges(bins: int) -> Float:
    """The least score of each bin: float64 [bins + 1], from -1 to 1."""
    return np.arange(-(bins // 2), bins // 2 + 1) / (bins / 2)
