"""Faces in drawn views: the student's crop and the teacher's are cut out of one view of the stored picture."""

import hashlib
import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from facedistill.datasets import Face, FaceSet
from facedistill.datasets.growing import GrowingPeople
from facedistill.faces import crop_matrix
from facedistill.teachers import Shown
from facedistill.training.data import AugmentedFaces, Sample, picture_rng, view_rng
from facedistill.training.drawn import Drawn
from facedistill.variance import Variance
from facedistill.variance.checks import Crop
from facedistill.views import Cut, Draws, Views

_FIXED_VIEWS = "facedistill-fixed-views-1"  # changes with what a seed draws, or with what becomes of it


class _Pictures(NamedTuple):
    """What a view is made of."""

    face: Face
    picture: Crop
    second: Face | None
    draws: Draws


class ViewedFaces(AugmentedFaces):
    """Faces in views, degraded for the student alone.

    Everything random about a picture, the second face of a mixture included, follows from the seed and its position in
    the run; with fixed views, the view follows from the seed, the face and the number of the view instead, and the
    position decides which one is shown and how it is degraded.

    Args:
        faces: The face set in the student's crops, for labels and order.
        stored: The same faces in the same order as they are stored, in the widest crop.
        views: What may be drawn.
        variance: See `AugmentedFaces`, as `mirror` and `seed`; mirroring comes before the view.
        mirror: See there.
        seed: See there.
        teacher_size: (height, width) of the teacher's crops of the same views; None makes none.
        student_size: (height, width) of the student's crops; None takes that of `faces`.
        fixed: How many fixed views each face has; 0 draws a new one at each position.
        growing: See `AugmentedFaces`.
    """

    def __init__(
        self,
        faces: FaceSet,
        stored: FaceSet,
        views: Views,
        variance: Sequence[Variance],
        mirror: bool,
        seed: int,
        teacher_size: tuple[int, int] | None,
        student_size: tuple[int, int] | None = None,
        fixed: int = 0,
        growing: GrowingPeople | None = None,
    ) -> None:
        super().__init__(faces, variance, mirror, seed, growing)
        self.stored = stored
        self.views = views
        self.fixed = fixed
        self.student_cut = _cut(stored.size, student_size or faces.size)
        self.teacher_cut = None if teacher_size is None else _cut(stored.size, teacher_size)

    def __getitem__(self, place: tuple[int, int]) -> Sample:
        _, index = place
        drawn, rng = self.drawn(place)
        pictures = self._read(index, drawn)
        crop = self._shown(pictures, self.student_cut)
        view = None
        if self.teacher_cut == self.student_cut:
            view = crop
        elif self.teacher_cut is not None:
            view = self._shown(pictures, self.teacher_cut)
        degraded, rows = self.degraded(crop, rng)
        return Sample(
            crop=degraded,
            label=pictures.face.label,
            index=index,
            mirrored=drawn.shows_mirrored,
            key=pictures.face.key,
            view=view,
            second_label=self._second_label(pictures),
            share=drawn.share,
            rows=rows,
            view_number=drawn.number,
        )

    def drawn(self, place: tuple[int, int]) -> tuple[Drawn, np.random.Generator]:
        """See `AugmentedFaces.drawn`."""
        position, index = place
        rng = picture_rng(self.seed, position)
        if not self.fixed:
            return self._drawn(rng, self.drawable(position)), rng
        return self._fixed(index, int(rng.integers(self.fixed))), rng

    def _second_label(self, pictures: _Pictures) -> int | None:
        """None only where no view of the recipe has a second face.

        So each process of a distributed run takes the hard loss of mixtures at each step, whose collectives all join,
        whether its own share of the batch holds a mixture or not.
        """
        if not self.views.needs_partner:
            return None
        return pictures.face.label if pictures.second is None else pictures.second.label

    def fixed_view(self, index: int, number: int, size: tuple[int, int]) -> Crop:
        """One of the fixed views of a face, undegraded: uint8 [*size, 3]."""
        return self._shown(self._read(index, self._fixed(index, number)), _cut(self.stored.size, size))

    def _fixed(self, index: int, number: int) -> Drawn:
        return self._drawn(view_rng(self.seed, index, number), len(self.stored), number)

    def _drawn(self, rng: np.random.Generator, partners: int, number: int | None = None) -> Drawn:
        mirrored = self.mirror and bool(rng.random() < 0.5)
        draws = self.views.draw(rng, *self.stored.size)
        second = int(rng.integers(partners)) if draws.needs_partner else None
        return Drawn(mirrored, draws, second, number)

    def _read(self, index: int, drawn: Drawn) -> _Pictures:
        face = self.stored[index]
        picture = np.ascontiguousarray(face.image[:, ::-1]) if drawn.mirrored else face.image
        return _Pictures(face, picture, None if drawn.second is None else self.stored[drawn.second], drawn.view)

    def _shown(self, pictures: _Pictures, cut: Cut) -> Crop:
        partner = None if pictures.second is None else pictures.second.image
        return self.views.apply(pictures.picture, partner, pictures.draws, cut).picture


class FixedViews:
    """The fixed views of faces as a teacher is shown them: a `teachers.shown.ShownFaces`.

    Args:
        viewed: The faces, with at least one fixed view each.
        size: (height, width) of the teacher's crops.
        recipe: Names and options of the views in JSON's types; they and the code of parts of other packages decide what
            is drawn.
    """

    def __init__(self, viewed: ViewedFaces, size: tuple[int, int], recipe: object) -> None:
        self._viewed = viewed
        self._size = size
        self._recipe = recipe
        self.per_face = viewed.fixed

    def __len__(self) -> int:
        return len(self._viewed.faces)

    def __getitem__(self, index: int) -> Shown:
        crops = [self._viewed.fixed_view(index, number, self._size) for number in range(self.per_face)]
        return Shown(self._viewed.faces[index].key, crops)

    @property
    def digest(self) -> str:
        """SHA-256 over the faces, the views and the seed."""
        viewed = self._viewed
        parts = [
            _FIXED_VIEWS,
            viewed.stored.digest,
            self._recipe,
            viewed.mirror,
            viewed.seed,
            self.per_face,
            self._size,
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _cut(stored: tuple[int, int], size: tuple[int, int]) -> Cut:
    """Where a crop of a size lies in one of the stored size."""
    return Cut.whole(*stored) if stored == size else Cut.of(crop_matrix(stored, size), *size)
