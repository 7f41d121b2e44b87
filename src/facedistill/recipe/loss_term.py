"""A recipe's term of the loss, and its weight over the run and over the faces."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from facedistill.checks import check_count
from facedistill.errors import UsageError
from facedistill.recipe.fields import added

SMALL, SHARP = 8, 44  # rows between which a weight goes from `small` to `weight`


@dataclass
class LossTerm:
    """One named term of the loss.

    Attributes:
        weight: What the term is multiplied by.
        options: Keyword arguments for `build_loss`.
        small: The weight for faces of at most 8 rows, where `weight` is that of 44 rows and more; between them it goes
            with the logarithm of the rows. None weighs all faces alike. For `hard` and for losses that have a value for
            each face.
        end: Where `weight` (and `small` in proportion) goes over the run; None keeps it.
        end_images: After how many images it is there.
        shape: Along a line, or along half a cosine.
    """

    weight: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)
    small: float | None = added(None)
    end: float | None = added(None)
    end_images: int = added(0)
    shape: Literal["linear", "cosine"] = added("linear")

    def check(self, name: str) -> None:
        """Refuses what cannot work; `name` is the term's own, for the message."""
        if self.end is not None:
            check_count(f"recipe: losses.{name}.end_images", self.end_images)
        elif self.end_images:
            raise UsageError(f"recipe: losses.{name}.end_images is given without losses.{name}.end; give both")

    def factor(self, images: int) -> float:
        """What the weights are multiplied by after so many images; 1 at the beginning."""
        if self.end is None:
            return 1.0
        share = min(1.0, images / self.end_images)
        if self.shape == "cosine":
            share = 0.5 * (1 - math.cos(math.pi * share))
        return 1 + share * (self.end / self.weight - 1)
