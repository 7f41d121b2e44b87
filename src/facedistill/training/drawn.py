"""What is drawn for a picture of a training before anything is read or computed."""

from typing import NamedTuple

import numpy as np

from facedistill.views import Draws


class Drawn(NamedTuple):
    """What is drawn for a picture, apart from its degradation; no picture is read for it.

    Attributes:
        mirrored: Whether the face is mirrored before the view.
        view: The view.
        second: Index of the second face in the picture; None where nobody else is.
        number: Which of the face's fixed views it is; None where views are drawn anew.
    """

    mirrored: bool
    view: Draws
    second: int | None = None
    number: int | None = None

    @property
    def shows_mirrored(self) -> bool:
        """Whether the viewed face is a mirror image."""
        return self.mirrored != bool(np.linalg.det(self.view.matrix) < 0)

    @property
    def share(self) -> float:
        """The share of the first face's label, 0..1."""
        return min(max(self.view.share, 0.0), 1.0)
