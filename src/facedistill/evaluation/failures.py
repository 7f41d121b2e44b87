"""Failures to enrol and to acquire in the error rates, as ISO/IEC 19795-1 counts them.

A comparison that never took place, because a picture shows no face or cannot be read, is no match: it makes the false
non-match rate worse and the false match rate better. Rates over the comparisons that took place leave that out.
"""

import numpy as np
from numpy.typing import ArrayLike

from facedistill.checks import check_count, check_number
from facedistill.errors import UsageError
from facedistill.evaluation.metrics import Float


def failure_rate(failed: int, attempts: int) -> float:
    """FTE or FTA: the share of `attempts` (enrolments, or comparisons to be made) that failed, 0..1.

    Raises:
        UsageError: There is no attempt, or more failed than were made.
    """
    check_count("failed", failed, 0, check_count("attempts", attempts))
    return failed / attempts


def generalised_fnmr(fnmr: ArrayLike, failures: float) -> Float:
    """FTA + (1 - FTA) * FNMR: false non-matches when a failed comparison counts as one.

    Args:
        fnmr: Rates 0..1 of any shape, over the comparisons that took place.
        failures: Share 0..1 of the genuine comparisons that did not (the FTA; with failed enrolments counted in,
            the rate is ISO's generalised false reject rate).

    Raises:
        UsageError: A rate is not between 0 and 1.
    """
    rates = _checked(fnmr, failures)
    return np.asarray(failures + (1.0 - failures) * rates)


def generalised_fmr(fmr: ArrayLike, failures: float) -> Float:
    """FMR * (1 - FTA): false matches when a failed comparison counts as no match; arguments as `generalised_fnmr`."""
    rates = _checked(fmr, failures)
    return np.asarray((1.0 - failures) * rates)


def _checked(rates: ArrayLike, failures: float) -> Float:
    values = np.asarray(rates, dtype=np.float64)
    check_number("failures", failures, 0, 1)
    if not ((values >= 0) & (values <= 1)).all():
        raise UsageError("error and failure rates lie between 0 and 1, and are not NaN")
    return values
