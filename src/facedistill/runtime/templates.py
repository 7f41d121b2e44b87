"""The templates of one face: what it looks like to a model at several resolutions."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facedistill.checks import check_number
from facedistill.variance import matching


@dataclass(frozen=True)
class UsedFace:
    """Where a face was found.

    Attributes:
        box: Left, top, right and bottom edge, in pixels of the upright photo; it may reach beyond it.
        score: Probability that this is a face, 0..1.
    """

    box: tuple[float, float, float, float]
    score: float


@dataclass(frozen=True, eq=False)
class Templates:
    """One face, embedded once a resolution, to be compared with faces of any size.

    Attributes:
        embeddings: Condition -> unit embedding, float32 [D]. "native" is the face as it is; "44", "30", "24", "20",
            "16", "12", "10" and "8" are the face degraded to so many rows, those alone that are well below its own.
        rows: The face's own rows, > 0; see `window_rows`.
        face: Where in the photo it was found; None where that is not known.
    """

    embeddings: Mapping[str, NDArray[np.float32]]
    rows: float
    face: UsedFace | None = None

    def __post_init__(self) -> None:
        check_number("rows", self.rows, above=0)

    def seen_at(self, rows: float) -> NDArray[np.float32]:
        """What a face of `rows` is compared with: the unit mean of the `matching` templates, float32 [D]."""
        mean = np.mean([self.embeddings[name] for name in matching(self.rows, rows)], axis=0)
        return np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)
