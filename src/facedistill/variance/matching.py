"""Comparing at the same resolution: what becomes of the sharper of two faces before it is embedded.

A net places a face elsewhere when it is blurred, so a sharp and a small picture of one person are less alike than two
small ones. The sharper face is therefore degraded to about the rows of the other.
`benchmarks/same_resolution.py` measures on rendered people what is chosen here.
"""

from facedistill.checks import check_number
from facedistill.model_file import NATIVE

RUNGS = (44, 30, 24, 20, 16, 12, 10, 8)
"""Rows to which a face is degraded for comparing, each about 1.25 times the next."""

NATIVE_ROWS = 56  # half a crop: from here on the thresholds of nets were measured to be those of whole crops
CROP_ROWS = 112
NEAR = 1.5
"""Rows that differ by no more than this factor are near.

Degrading a small picture blurs it a second time, which on rendered people costs more than such a difference of rows."""

_AVERAGED = 3


def rungs_of(rows: float) -> tuple[int, ...]:
    """The rungs that a face of so many rows (> 0) can be degraded to, falling: those that are not near it."""
    check_number("rows", rows, above=0)
    return tuple(rung for rung in RUNGS if rung * NEAR <= min(rows, CROP_ROWS))


def matching(rows: float, other: float) -> tuple[str, ...]:
    """The conditions whose mean a face of `rows` is compared by with one of `other` rows.

    The rung that is nearest to `other` by its ratio, and the next two sharper ones, the face as it is being the
    sharpest. On rendered people, the mean of the three accepts more genuine pairs than the one rung at a false match
    rate of 1 %, and loses less where `other` is 15 % too low; too sharp a rung costs less than too blurred a one.

    Args:
        rows: Of the one face, > 0.
        other: Of the other one, > 0.

    Returns:
        One to three of "native" (the face as it is), "44", "30", ..., sharpest first; ("native",) alone where the
        other face is no smaller, or near, or both are native (`NATIVE_ROWS`).
    """
    check_number("rows", rows, above=0)
    check_number("other", other, above=0)
    if other >= NATIVE_ROWS or min(rows, CROP_ROWS) <= other * NEAR:
        return (NATIVE,)
    ladder = [NATIVE, *map(str, rungs_of(rows))]
    at = {name: min(rows, CROP_ROWS) if name == NATIVE else float(name) for name in ladder}
    place = min(range(len(ladder)), key=lambda at_place: _ratio(at[ladder[at_place]], other))
    return tuple(ladder[max(place + 1 - _AVERAGED, 0) : place + 1])


def _ratio(rows: float, other: float) -> float:
    return max(rows / other, other / rows)
