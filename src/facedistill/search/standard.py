"""The standard a net must meet: `synth@matched 16.eer <= 0.05, size_mb <= 1, latency_ms <= 2`."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from facedistill.errors import UsageError
from facedistill.evaluation.metrics import FARS
from facedistill.evaluation.sweep import BOTH
from facedistill.model_file import MATCHED_PREFIX, NATIVE

Operator = Literal["<=", ">="]

COSTS = ("size_mb", "latency_ms", "params", "macs")
VALIDATION = "validation"

_LOWER_IS_BETTER = {*COSTS, "eer"}
_RATES = ("eer", "auc", "accuracy", "rank1")
_LEAST_ROWS, _MOST_ROWS = 4, 112
_CLAUSE = re.compile(r"(?P<target>[^<>=!]+?)\s*(?P<operator><=|>=|==|!=|=|<|>)\s*(?P<bound>\S+)")
_NUMBER = re.compile(r"\d+(\.\d*)?([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?")
_RESOLUTION = re.compile(rf"{NATIVE}|(?:{MATCHED_PREFIX})?(?P<rows>[1-9]\d{{0,2}})")


@dataclass(frozen=True)
class Bound:
    """One part of a standard.

    Attributes:
        target: As it was written: `synth@matched 16.eer`, `size_mb`.
        operator: `<=` where less is better, `>=` where more is.
        value: The worst value that is good enough; a rate is a fraction from 0 to 1.
        people: The set before the `@`; empty for a cost.
        resolution: `native`; a number of rows, such as `16`, for the gallery native; or `matched 16`, for both faces at
            16 rows, as `verify` compares them. Empty for a cost.
        metric: `eer`, `auc`, `accuracy`, `rank1`, `tar@FAR`, or the name of the cost.
    """

    target: str
    operator: Operator
    value: float
    people: str
    resolution: str
    metric: str

    @property
    def is_cost(self) -> bool:
        """Whether it bounds what a net costs, which is known before any training."""
        return not self.people

    @property
    def rows(self) -> int | None:
        """To how many rows faces are degraded; None where they stay native, and for a cost."""
        text = self.resolution.removeprefix(MATCHED_PREFIX)
        return int(text) if text.isdecimal() else None

    def figure(self, cells: Mapping[str, Any]) -> float:
        """Its value in the cells of a sweep.

        Raises:
            UsageError: Nothing: a FAR is too small for so few impostors.
        """
        name, _, far = self.metric.partition("@")
        matched = self.resolution.startswith(MATCHED_PREFIX)
        cell = cells[BOTH][str(self.rows)] if matched else cells[self.resolution]
        try:
            return float(cell["tar_at_far"][far] if far else cell[name])
        except KeyError:
            raise UsageError(
                f"the standard's part {str(self)!r} cannot be measured on the recipe's validation people, who are too "
                "few for it; keep more of them, or bound another figure"
            ) from None

    def missed_by(self, value: float) -> float:
        """How far `value` is on the wrong side, in its own unit; 0 where the bound is met."""
        return max(0.0, value - self.value if self.operator == "<=" else self.value - value)

    def badness(self, value: float) -> float:
        """`value` turned so that less is better: itself, or what is missing to 1."""
        return value if self.operator == "<=" else 1 - value

    def __str__(self) -> str:
        return f"{self.target} {self.operator} {self.value:g}"


@dataclass(frozen=True)
class Standard:
    """Bounds of which every one must be met.

    Attributes:
        bounds: In the order they were written.
    """

    bounds: tuple[Bound, ...]

    @property
    def costs(self) -> tuple[Bound, ...]:
        """What an untrained net can already miss."""
        return tuple(bound for bound in self.bounds if bound.is_cost)

    @property
    def figures(self) -> tuple[Bound, ...]:
        """What only training decides; at least one."""
        return tuple(bound for bound in self.bounds if not bound.is_cost)

    def met(self, values: Mapping[str, float]) -> bool:
        """Whether every bound is met by `values`, target -> value."""
        return all(not bound.missed_by(values[bound.target]) for bound in self.bounds)

    def shortfall(self, figures: Mapping[str, float]) -> float:
        """Mean distance of the figures from their bounds, costs left out: 0 exactly where all of them are met."""
        missed = sum(bound.missed_by(figures[bound.target]) for bound in self.figures)
        return missed / len(self.figures) or missed  # half of the least float would be 0

    def __str__(self) -> str:
        return ", ".join(map(str, self.bounds))


def parse_standard(text: str) -> Standard:
    """Reads `SET@RESOLUTION.METRIC OP NUMBER`, `size_mb OP NUMBER` and the like, parted by commas.

    SET is the set that validation people are taken from, or `validation`; RESOLUTION is `native`, a number of rows (the
    gallery stays native) or `matched` and a number of rows (both pictures have as many, as `verify` compares them);
    METRIC is eer, auc, accuracy, rank1 or tar@FAR; OP is `<=` or `>=`. Costs are size_mb, latency_ms (one picture on
    one core), params and macs.

    Raises:
        UsageError: The text is no standard; the message quotes the part that is wrong.
    """
    parts = [part.strip() for part in text.split(",")]
    if not any(parts):
        raise UsageError(
            "the standard is empty; give one, such as --until 'synth@matched 16.eer <= 0.05, size_mb <= 1'"
        )
    bounds = [_parse_bound(part) for part in parts]
    targets = [(bound.people, bound.resolution, bound.metric) for bound in bounds]
    for number, bound in enumerate(bounds):
        if targets[number] in targets[:number]:
            raise UsageError(f"the standard bounds {bound.target!r} twice; keep one of the two")
    if all(bound.is_cost for bound in bounds):
        raise UsageError("the standard bounds no recognition figure; add one, such as 'synth@matched 16.eer <= 0.05'")
    return Standard(tuple(bounds))


def check_people(standard: Standard, names: Sequence[str]) -> None:
    """Refuses a standard that is measured on anybody but the validation people.

    Args:
        standard: The standard.
        names: What the validation set may be called besides `validation`.

    Raises:
        UsageError: Another set is named.
    """
    known = [VALIDATION, *names]
    for bound in standard.figures:
        if bound.people not in known:
            raise UsageError(
                f"the standard's part {str(bound)!r} names the set {bound.people!r}, but a search is evaluated on the "
                f"recipe's validation people alone: write {' or '.join(f'{name}@' for name in known)}"
            )


def _parse_bound(part: str) -> Bound:
    found = _CLAUSE.fullmatch(part)
    if not found:
        raise UsageError(f"the standard's part {part!r} cannot be read; write 'synth@16.eer <= 0.05' or 'size_mb <= 1'")
    target = found["target"]
    people, resolution, metric = _parse_target(part, target)
    value = _parse_number(part, found["bound"])
    better: Operator = "<=" if metric in _LOWER_IS_BETTER else ">="
    if found["operator"] != better:
        raise UsageError(f"the standard's part {part!r}: {metric} can only be bounded by {better}")
    if people and value > 1:
        raise UsageError(f"the standard's part {part!r}: rates are fractions from 0 to 1, so write {value / 100:g}")
    return Bound(target, better, value, people, resolution, metric)


def _parse_target(part: str, target: str) -> tuple[str, str, str]:
    if target in COSTS:
        return "", "", target
    people, at, rest = target.partition("@")
    resolution, dot, metric = rest.partition(".")
    if not (people and at and dot):
        raise UsageError(
            f"the standard's part {part!r}: {target!r} is neither SET@RESOLUTION.METRIC nor one of {', '.join(COSTS)}"
        )
    found = _RESOLUTION.fullmatch(resolution)
    if not found or (found["rows"] and not _LEAST_ROWS <= int(found["rows"]) <= _MOST_ROWS):
        raise UsageError(
            f"the standard's part {part!r}: the resolution {resolution!r} is neither {NATIVE!r} nor "
            f"{_LEAST_ROWS}..{_MOST_ROWS} rows, as in '16' (the gallery native) or '{MATCHED_PREFIX}16'"
        )
    if metric not in _RATES:
        name, _, far = metric.partition("@")
        if name != "tar" or not _NUMBER.fullmatch(far) or float(far) not in FARS:
            known = ", ".join([*_RATES, *(f"tar@{far:g}" for far in FARS)])
            raise UsageError(f"the standard's part {part!r}: no metric is called {metric!r}; known: {known}")
        metric = f"tar@{float(far):g}"
    return people, resolution, metric


def _parse_number(part: str, text: str) -> float:
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise UsageError(f"the standard's part {part!r}: {text!r} is no number of 0 or more")
    return float(text)
