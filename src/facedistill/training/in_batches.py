"""What the loader needs of faces."""

from collections.abc import Sequence
from typing import Any, Protocol

from facedistill.datasets import FaceSet
from facedistill.datasets.growing import GrowingPeople


class FacesInBatches(Protocol):
    """Faces by (position in the run, index in the set), and how several become a batch: `AugmentedFaces` is one."""

    @property
    def faces(self) -> FaceSet: ...  # noqa: D102 - for labels and order

    @property
    def seed(self) -> int: ...  # noqa: D102

    @property
    def growing(self) -> GrowingPeople | None: ...  # noqa: D102

    def drawable(self, position: int) -> int:
        """Number of faces, the first ones of the set, that may be drawn from at a position in the run."""

    def __getitem__(self, place: tuple[int, int]) -> Any: ...

    def collate(self, samples: Sequence[Any]) -> Any:
        """The samples as one batch."""
