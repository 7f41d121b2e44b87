"""The model file: one ONNX file with preprocessing inside and all that a user of it must know.

Input `uint8 [B, H, W, 3]` RGB, output a unit-length float32 embedding `[B, D]`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Self

from facedistill.errors import FacedistillError

METADATA_KEY = "facedistill"
NATIVE = "native"


@dataclass(frozen=True)
class ModelMetadata:
    """What travels inside a model file, as JSON under the ONNX metadata key `facedistill`.

    Attributes:
        name: A short name for people.
        crop_size: (height, width) of the aligned crop the net expects.
        embedding_size: Length of the embedding.
        thresholds: Resolution ("native" or rows in pixels, e.g. "16") -> FMR ("1e-1".."1e-4") ->
            the least cosine similarity called the same person. Only FMRs that the calibration pairs support appear.
        calibration: One sentence: on whom the thresholds were measured.
        data_digest: SHA-256 of the training face set.
        recipe_digest: SHA-256 of the resolved recipe.
        licence: What a user may do with the weights, and what they were trained on.
    """

    name: str
    crop_size: tuple[int, int]
    embedding_size: int
    thresholds: dict[str, dict[str, float]] = field(default_factory=dict)
    calibration: str = ""
    data_digest: str = ""
    recipe_digest: str = ""
    licence: str = ""

    def to_map(self) -> dict[str, str]:
        """The entry for an ONNX file's metadata map."""
        return {METADATA_KEY: json.dumps(asdict(self), sort_keys=True)}

    @classmethod
    def from_map(cls, entries: Mapping[str, str], source: str) -> Self:
        """Reads the metadata back.

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
            return cls(**values)
        except (ValueError, TypeError, KeyError) as error:
            raise FacedistillError(f"{source}: its metadata is damaged ({error}); export the model again") from error
