"""The model file: one ONNX file with preprocessing inside and all that a user of it must know.

Input `uint8 [B, H, W, 3]` RGB, output a unit-length float32 embedding `[B, D]`.
"""

import json
import math
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import accumulate, pairwise
from typing import Any, Self

from facedistill.errors import FacedistillError
from facedistill.printable import printable

METADATA_KEY = "facedistill"
NATIVE = "native"
BOTH_PREFIX = "both "
MATCHED_PREFIX = "matched "

# Far beyond what any model of this project carries (32 kB, 5 levels), and far below what could hurt.
MOST_CHARACTERS = 1 << 20
DEEPEST = 16
LONGEST_SIDE = 4096  # pixels
LONGEST_EMBEDDING = 1 << 16

_BRACKETS = {"[": 1, "{": 1, "]": -1, "}": -1}
_MOST_DIGITS = 20  # of a whole number: those of 64 bits
_MOST_ROWS = 10_000


@dataclass(frozen=True)
class Logistic:
    """The probability of "same person" as a function of the similarity, when either answer is as likely beforehand.

    1 / (1 + exp(-(slope * similarity + offset))): Platt 1999, "Probabilistic outputs for support vector machines".

    Attributes:
        slope: 0 or more, so that a higher similarity never makes the same person less likely.
        offset: Log-odds at similarity 0.
    """

    slope: float
    offset: float

    def __call__(self, similarity: float) -> float:
        """The probability, 0..1, at a cosine similarity."""
        return 0.5 + 0.5 * math.tanh((self.slope * similarity + self.offset) / 2)  # never overflows


@dataclass(frozen=True)
class ModelMetadata:
    """What travels inside a model file, as JSON under the ONNX metadata key `facedistill`.

    Attributes:
        name: A short name for people.
        crop_size: (height, width) of the aligned crop the net expects.
        embedding_size: Length of the embedding.
        thresholds: Condition -> FMR ("1e-1".."1e-6") -> the least cosine similarity called the same person. Only FMRs
            that the calibration pairs support appear. A condition is "native", or the smaller face's rows ("16": the
            other face is native, and embedded as it is; "both 16": both are so small; "matched 16": the other face is
            native, and was degraded before it was embedded, see `facedistill.variance.matching`).
        threshold_intervals: As `thresholds`, with 95 % intervals [low, high].
        probability: Condition -> similarity -> probability of the same person at even odds.
        reliability: Condition -> how well the probability holds on people it was not fitted on: "ece", the
            expected calibration error, and "bins", the reliability diagram (see `evaluation.probability.Reliability`).
        calibration: One sentence: on whom all that was measured.
        data_digest: SHA-256 of the training face set.
        recipe_digest: SHA-256 of the resolved recipe.
        licence: What a user may do with the weights, and what they were trained on.
        net: The arguments of `build_backbone` that rebuild the net; empty in files from before.
    """

    name: str
    crop_size: tuple[int, int]
    embedding_size: int
    thresholds: dict[str, dict[str, float]] = field(default_factory=dict)
    threshold_intervals: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    probability: dict[str, Logistic] = field(default_factory=dict)
    reliability: dict[str, dict[str, Any]] = field(default_factory=dict)
    calibration: str = ""
    data_digest: str = ""
    recipe_digest: str = ""
    licence: str = ""
    net: dict[str, Any] = field(default_factory=dict)

    def to_map(self) -> dict[str, str]:
        """The entry for an ONNX file's metadata map.

        Raises:
            FacedistillError: `from_map` would refuse it.
        """
        try:
            text = json.dumps(asdict(self), sort_keys=True)
            _checked(text)
        except (ValueError, TypeError) as error:
            raise FacedistillError(f"model {self.name!r}: its metadata cannot be written ({error})") from error
        return {METADATA_KEY: text}

    @classmethod
    def from_map(cls, entries: Mapping[str, str], source: str) -> Self:
        """Reads the metadata back; those of files from before the intervals and probabilities are read too.

        The text is checked before it is parsed (at most `MOST_CHARACTERS`, and `DEEPEST` brackets open at once), and
        every value for its type and range before anything is made of it.

        Args:
            entries: The ONNX file's metadata map.
            source: The file's name, for the error message.

        Raises:
            FacedistillError: The file carries no such metadata, or it is damaged.
        """
        if METADATA_KEY not in entries:
            raise FacedistillError(f"{source} is no facedistill model file; make one with `facedistill export`")
        try:
            values = _checked(entries[METADATA_KEY])
            values["crop_size"] = tuple(values["crop_size"])
            values["probability"] = {at: Logistic(**fit) for at, fit in values.get("probability", {}).items()}
            return cls(**values)
        except (ValueError, TypeError, KeyError) as error:
            raise FacedistillError(f"{source}: its metadata is damaged ({error}); export the model again") from error


def _checked(text: str) -> dict[str, Any]:
    """The JSON of a model's metadata, each value of its type and in its range.

    Raises:
        ValueError: What is wrong, and where.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"it has {len(text):,} characters; {MOST_CHARACTERS:,} are the most")
    if max(accumulate(_BRACKETS.get(each, 0) for each in text), default=0) > DEEPEST:
        raise ValueError(f"it is nested deeper than {DEEPEST} levels")
    values = json.loads(text, parse_int=_whole, parse_constant=_no_number)
    if not isinstance(values, dict):
        raise ValueError(f"it is no mapping, but {reprlib.repr(values)}")
    _check_plain(values)
    for name in ("name", "crop_size", "embedding_size"):
        if name not in values:
            raise ValueError(f"it has no {name}")
    for name, value in values.items():
        if name not in _CHECKS:
            raise ValueError(f"it has an unknown entry {reprlib.repr(name)}")
        _CHECKS[name](name, value)
    return values


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits; {_MOST_DIGITS} are the most")
    return int(digits)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _check_plain(value: Any) -> None:
    """Refuses infinite numbers (such as 1e999), and characters that steer a terminal or cannot be written."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _check_plain(key)
            _check_plain(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_plain(inner)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is not finite")
    elif isinstance(value, str) and printable(value, keep="\n\t") != value:
        raise ValueError(f"a text holds characters that cannot be printed: {reprlib.repr(value)}")


def _text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text, but {reprlib.repr(value)}")


def _line(name: str, value: Any) -> None:
    _text(name, value)
    if "\n" in value:
        raise ValueError(f"{name} has more than one line")


def _number(name: str, value: Any, least: float = -math.inf, most: float = math.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(f"{name} is {reprlib.repr(value)}, no number of {least:g} to {most:g}")
    return float(value)


def _size(name: str, value: Any, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ValueError(f"{name} is {reprlib.repr(value)}, no whole number of 1 to {most}")


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} is no mapping, but {reprlib.repr(value)}")
    return value


def _conditions(name: str, value: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """The entries of a mapping from conditions to mappings, each with its place, such as "thresholds at both 16"."""
    for condition in _mapping(name, value):
        rows = [condition.removeprefix(prefix) for prefix in (BOTH_PREFIX, MATCHED_PREFIX)]
        if condition != NATIVE and not any(_is_rows(each) for each in rows):
            raise ValueError(f"{name} are of {reprlib.repr(condition)}, which is no resolution")
    return [(f"{name} at {condition}", _mapping(f"{name} at {condition}", inner)) for condition, inner in value.items()]


def _is_rows(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= len(str(_MOST_ROWS)) and 0 < int(text) <= _MOST_ROWS


def _check_crop_size(name: str, value: Any) -> None:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError(f"{name} is {reprlib.repr(value)}, no height and width")
    for side in value:
        _size(name, side, LONGEST_SIDE)


def _check_rates(where: str, rates: Mapping[str, Any]) -> list[str]:
    """The names of false match rates, the strictest first."""
    by_rate = sorted((float(rate), rate) for rate in rates)
    if not all(0 < rate <= 1 for rate, _ in by_rate):
        raise ValueError(f"{where}: {reprlib.repr(sorted(rates))} are no false match rates in 0..1")
    return [name for _, name in by_rate]


def _check_thresholds(name: str, value: Any) -> None:
    for where, rates in _conditions(name, value):
        values = [_number(where, rates[rate]) for rate in _check_rates(where, rates)]
        if any(strict < lax for strict, lax in pairwise(values)):
            raise ValueError(f"the {where} are out of order: a smaller FMR needs a higher one")


def _check_intervals(name: str, value: Any) -> None:
    for where, rates in _conditions(name, value):
        _check_rates(where, rates)
        for interval in rates.values():
            if not isinstance(interval, list) or len(interval) != 2:
                raise ValueError(f"{where}: {reprlib.repr(interval)} is no interval [low, high]")
            low, high = (_number(where, end) for end in interval)
            if low > high:
                raise ValueError(f"{where}: the interval {low:g} to {high:g} ends before it begins")


def _check_probability(name: str, value: Any) -> None:
    for where, fit in _conditions(name, value):
        if fit.keys() != {"slope", "offset"}:
            raise ValueError(f"{where} has {reprlib.repr(sorted(fit))}, not slope and offset")
        _number(f"{where}: slope", fit["slope"], least=0)
        _number(f"{where}: offset", fit["offset"])


def _check_reliability(name: str, value: Any) -> None:
    for where, measured in _conditions(name, value):
        bins = measured.get("bins")
        _number(f"{where}: ece", measured.get("ece"), 0, 1)
        if not isinstance(bins, list):
            raise ValueError(f"{where}: bins are {reprlib.repr(bins)}, no list")
        for each in bins:
            for key, figure in _mapping(f"{where}: a bin", each).items():
                _number(f"{where}: {key}", figure)


_CHECKS: dict[str, Callable[[str, Any], object]] = {
    "name": _line,
    "crop_size": _check_crop_size,
    "embedding_size": partial(_size, most=LONGEST_EMBEDDING),
    "thresholds": _check_thresholds,
    "threshold_intervals": _check_intervals,
    "probability": _check_probability,
    "reliability": _check_reliability,
    "calibration": _line,
    "data_digest": _line,
    "recipe_digest": _line,
    "licence": _text,
    "net": _mapping,
}
