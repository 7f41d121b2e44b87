"""The model file: one ONNX file with preprocessing inside and all that a user of it must know.

Input `uint8 [B, H, W, 3]` RGB, output a unit-length float32 embedding `[B, D]`.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, Self

from facedistill.errors import FacedistillError

METADATA_KEY = "facedistill"
NATIVE = "native"
BOTH_PREFIX = "both "
MATCHED_PREFIX = "matched "


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
        """The entry for an ONNX file's metadata map."""
        return {METADATA_KEY: json.dumps(asdict(self), sort_keys=True)}

    @classmethod
    def from_map(cls, entries: Mapping[str, str], source: str) -> Self:
        """Reads the metadata back; those of files from before the intervals and probabilities are read too.

        Args:
            entries: The ONNX file's metadata map.
            source: The file's name, for the error message.

        Raises:
            FacedistillError: The file carries no such metadata, or it is damaged.
        """
        if METADATA_KEY not in entries:
            raise FacedistillError(f"{source} is no facedistill model file; make one with `facedistill export`")
        try:
            values = json.loads(entries[METADATA_KEY])
            values["crop_size"] = tuple(int(side) for side in values["crop_size"])
            _check_thresholds(values.get("thresholds", {}))
            values["probability"] = {at: _logistic(at, fit) for at, fit in values.get("probability", {}).items()}
            values["net"] = dict(values.get("net", {}))
            return cls(**values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise FacedistillError(f"{source}: its metadata is damaged ({error}); export the model again") from error


def _check_thresholds(thresholds: Mapping[str, Mapping[str, float]]) -> None:
    """Raises ValueError where a name is none, or where a stricter rate has a laxer threshold."""
    for condition, rates in thresholds.items():
        rows = [condition.removeprefix(prefix) for prefix in (BOTH_PREFIX, MATCHED_PREFIX)]
        if condition != NATIVE and not any(name.isdecimal() for name in rows):
            raise ValueError(f"thresholds are of {condition!r}, which is no resolution")
        by_rate = sorted((float(rate), rate) for rate in rates)
        values = [rates[rate] for _, rate in by_rate]
        if not all(math.isfinite(value) for value in values):
            raise ValueError(f"a threshold at {condition} is not finite")
        if any(strict < lax for strict, lax in pairwise(values)):
            raise ValueError(f"the thresholds at {condition} are out of order: a smaller FMR needs a higher one")


def _logistic(condition: str, fit: Mapping[str, Any]) -> Logistic:
    slope, offset = float(fit["slope"]), float(fit["offset"])
    if not (math.isfinite(offset) and 0 <= slope < math.inf):
        raise ValueError(f"the probability at {condition} has slope {slope:g} and offset {offset:g}")
    return Logistic(slope, offset)
