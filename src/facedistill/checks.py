"""The one checker of numbers that a user gives: on the command line, in a recipe, in Python.

A truth value is no number, though Python counts it as one; NaN and infinity are none either. Numbers of numpy are.
Whatever has no bound of its own is bounded by `LARGEST` or `MOST`: what lies beyond is a mistake, and is refused before
anything of that size is begun. A message names these two bounds only to who exceeds them.
"""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

from facedistill.errors import UsageError

LARGEST = 1e9  # of a number; its square is still far from the end of 32-bit floats
MOST = 1 << 31  # of a count
MOST_SEED = (1 << 63) - 1
MOST_PROCESSES = 1024  # processes or threads
MOST_SIDE = 1024  # pixels of a crop's side
MOST_EMBEDDING = 1 << 16
MOST_WIDTH = 16  # factor on a net's channels


def check_number(
    what: str,
    value: Any,
    low: float = -LARGEST,
    high: float = LARGEST,
    *,
    above: float | None = None,
    below: float | None = None,
) -> float:
    """`value` as a float if it is a finite number within the bounds.

    Args:
        what: Names it in the message: "temperature of the loss 'soft'".
        value: What the caller gave.
        low: The least.
        high: The greatest.
        above: A lower bound that is not itself allowed, instead of `low`.
        below: An upper bound that is not itself allowed, instead of `high`.

    Raises:
        UsageError: It is no such number.
    """
    right = isinstance(value, Real) and not isinstance(value, bool)
    right = right and (low <= value if above is None else value > above)
    if not (right and (value <= high if below is None else value < below)):
        bounds = _bounds(low, high, above, below)
        if isinstance(value, int | float) and value > high == LARGEST:
            bounds += f" and at most {high:g}"
        raise UsageError(f"{what} must be a number {bounds}, not {value!r:.40}")
    return float(value)


def check_count(what: str, value: Any, least: int = 1, most: int = MOST) -> int:
    """`value` as an int if it is a whole number in `least`..`most`.

    Raises:
        UsageError: It is no such number.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or not least <= int(value) <= most:
        beyond = isinstance(value, Integral) and int(value) > most
        bounds = f"of at least {least}" if most == MOST and not beyond else f"from {least} to {most}"
        raise UsageError(f"{what} must be a whole number {bounds}, not {value!r:.40}")
    return int(value)


def read_count(what: str, text: str, least: int = 1, most: int = MOST) -> int:
    """A whole number in `least`..`most` that stands in a text, such as a variable of the environment.

    Raises:
        UsageError: The text is no such number.
    """
    digits = text.strip()
    right = digits.isascii() and digits.removeprefix("-").isdecimal() and len(digits) <= len(str(MOST_SEED))
    return check_count(what, int(digits) if right else text, least, most)


def check_share(what: str, value: Any) -> float:
    """`value` as a float if it is a number above 0 and at most 1.

    Raises:
        UsageError: It is no such number.
    """
    return check_number(what, value, above=0, high=1)


def check_rate(what: str, value: Any) -> float:
    """`value` as a float if it is a rate that can be asked for: a false match rate of 0 or 1 means no threshold.

    Raises:
        UsageError: It is no number above 0 and below 1.
    """
    return check_number(f"{what} (a fraction: 0.02 for 2 per cent)", value, above=0, below=1)


def check_similarity(what: str, value: Any) -> float:
    """`value` as a float if it is a cosine; rounding may carry that of unit embeddings a little beyond -1..1.

    Raises:
        UsageError: It is no number from -1 to 1.
    """
    return check_number(what, value, -1 - 1e-5, 1 + 1e-5)


def check_seed(what: str, value: Any) -> int:
    """`value` as an int if it can be the seed of a random generator.

    Raises:
        UsageError: It is no whole number from 0 to 2**63 - 1.
    """
    return check_count(what, value, 0, MOST_SEED)


def check_processes(what: str, value: Any, least: int = 1) -> int | None:
    """A number of processes or threads; None leaves the number open.

    Raises:
        UsageError: It is neither None nor a whole number in range.
    """
    return None if value is None else check_count(what, value, least, MOST_PROCESSES)


def check_size(what: str, value: Any) -> tuple[int, int]:
    """`value` as (height, width), in pixels.

    Raises:
        UsageError: It is no pair of whole numbers in range.
    """
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise UsageError(f"{what} must be (height, width), not {value!r:.40}")
    return check_count(f"height of {what}", value[0], 1, MOST_SIDE), check_count(
        f"width of {what}", value[1], 1, MOST_SIDE
    )


def check_range(what: str, value: Any, low: float, high: float) -> None:
    """Refuses what is no pair (least, most) of numbers within low..high.

    Raises:
        UsageError: It is no such pair.
    """
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise UsageError(f"{what} must be a pair (least, most), not {value!r:.40}")
    for end in value:
        check_number(what, end, low, high)
    if value[0] > value[1]:
        raise UsageError(f"{what} must be a pair (least, most), not {value!r:.40}")


def _bounds(low: float, high: float, above: float | None, below: float | None) -> str:
    if above is not None and below is not None:
        return f"between {above:g} and {below:g}, neither included"
    if above is not None:
        return f"above {above:g}" + ("" if high == LARGEST else f" and at most {high:g}")
    if below is not None:
        return f"of at least {low:g} and below {below:g}"
    return f"of at least {low:g}" if high == LARGEST else f"from {low:g} to {high:g}"
