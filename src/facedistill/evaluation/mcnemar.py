"""McNemar's test: whether two models decide differently on the same pairs."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facedistill.errors import UsageError


@dataclass(frozen=True)
class McNemar:
    """The exact McNemar test on the decisions of two models, each at its own threshold.

    Pairs count as independent here, which pairs that share a person are not: its p-value is too small then, and
    `Comparison.p_value` is the one to go by.

    Attributes:
        only_a: Number of pairs that a alone decides correctly.
        only_b: Number of pairs that b alone decides correctly.
        p_value: Two-sided.
    """

    only_a: int
    only_b: int
    p_value: float


def mcnemar(right_a: ArrayLike, right_b: ArrayLike) -> McNemar:
    """The exact (binomial) McNemar test.

    Args:
        right_a: bool [P], whether the first model decides each pair correctly.
        right_b: bool [P], the same of the second.

    Raises:
        UsageError: The shapes differ.
    """
    a, b = np.asarray(right_a, dtype=bool), np.asarray(right_b, dtype=bool)
    if a.shape != b.shape:
        raise UsageError(f"both models must have decided the same pairs, not {a.shape} and {b.shape}")
    only_a, only_b = int(np.count_nonzero(a & ~b)), int(np.count_nonzero(b & ~a))
    return McNemar(only_a, only_b, min(1.0, 2 * _coin_tail(min(only_a, only_b), only_a + only_b)))


def _coin_tail(most: int, throws: int) -> float:
    """The chance of at most `most` heads in `throws` throws of a fair coin, `most` <= throws / 2."""
    log_term = math.lgamma(throws + 1) - math.lgamma(most + 1) - math.lgamma(throws - most + 1) - throws * math.log(2)
    term = total = 1.0  # in units of the largest term, with which the sum begins
    for heads in range(most, 0, -1):
        term *= heads / (throws - heads + 1)
        total += term
        if term < 1e-17 * total:
            break
    return math.exp(log_term) * total
