"""Which of the conditions that a model file was calibrated under is that of two given faces."""

from collections.abc import Iterable, Sequence

from facedistill.model_file import BOTH_PREFIX, MATCHED_PREFIX, NATIVE
from facedistill.variance import NATIVE_ROWS, matching


def compares_matched(known: Iterable[str]) -> bool:
    """Whether a model file with these conditions compares at the same resolution: it was calibrated on that."""
    return any(name.startswith(MATCHED_PREFIX) for name in known)


def condition_of(known: Sequence[str], rows: float, other_rows: float) -> str:
    """The condition for comparing two faces of so many rows.

    Args:
        known: The conditions that have a threshold, one of them at least of one face alone ("native", "16").
        rows: Of the one face.
        other_rows: Of the other.

    Returns:
        Where the sharper face is degraded, "matched N" with the most rows at or below those of the smaller face, or
        else the fewest; otherwise the like with "both N", and without it "N" or "native". Without matched conditions,
        "both N" is for two faces that are both smaller than native.
    """
    least, most = sorted((rows, other_rows))
    matched = compares_matched(known)
    if matched and matching(most, least) != (NATIVE,):
        return MATCHED_PREFIX + _reached([name for name in known if name.startswith(MATCHED_PREFIX)], least)
    condition = _reached([name for name in known if not name.startswith((BOTH_PREFIX, MATCHED_PREFIX))], least)
    both = BOTH_PREFIX + condition
    return both if both in known and (matched or most < NATIVE_ROWS) else condition


def _reached(names: Iterable[str], rows: float) -> str:
    """The resolution of the most rows at or below `rows`, else that of the fewest."""
    resolutions = [name.removeprefix(MATCHED_PREFIX) for name in names]
    least = {name: NATIVE_ROWS if name == NATIVE else int(name) for name in resolutions}
    reached = [name for name in least if least[name] <= min(rows, NATIVE_ROWS)]
    return max(reached, key=least.__getitem__) if reached else min(least, key=least.__getitem__)
