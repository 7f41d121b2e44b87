"""Faces in drawn views: the student's crop and the teacher's are cut out of one view of the stored picture."""

from collections.abc import Sequence

import numpy as np

from facedistill.datasets import FaceSet
from facedistill.faces import crop_matrix
from facedistill.training.data import AugmentedFaces, Sample, picture_rng
from facedistill.variance import Variance
from facedistill.views import Cut, Views


class ViewedFaces(AugmentedFaces):
    """Faces in views drawn anew at each position, degraded for the student alone.

    Everything random about a picture, the second face of a mixture included, follows from the seed and its position in
    the run.

    Args:
        faces: The face set in the student's crops, for labels and order.
        stored: The same faces in the same order as they are stored, in the widest crop.
        views: What may be drawn.
        variance: See `AugmentedFaces`, as `mirror` and `seed`; mirroring comes before the view.
        mirror: See there.
        seed: See there.
        teacher_size: (height, width) of the teacher's crops of the same views; None makes none.
        student_size: (height, width) of the student's crops; None takes that of `faces`.
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
    ) -> None:
        super().__init__(faces, variance, mirror, seed)
        self.stored = stored
        self.views = views
        self._student_cut = _cut(stored.size, student_size or faces.size)
        self._teacher_cut = None if teacher_size is None else _cut(stored.size, teacher_size)

    def __getitem__(self, place: tuple[int, int]) -> Sample:
        position, index = place
        rng = picture_rng(self.seed, position)
        face = self.stored[index]
        mirrored = self.mirror and bool(rng.random() < 0.5)
        picture = np.ascontiguousarray(face.image[:, ::-1]) if mirrored else face.image
        draws = self.views.draw(rng, *self.stored.size)
        second = self.stored[int(rng.integers(len(self.stored)))] if draws.needs_partner else None
        partner = None if second is None else second.image
        crop = self.views.apply(picture, partner, draws, self._student_cut).picture
        view = None
        if self._teacher_cut == self._student_cut:
            view = crop
        elif self._teacher_cut is not None:
            view = self.views.apply(picture, partner, draws, self._teacher_cut).picture
        degraded, rows = self.degraded(crop, rng)
        return Sample(
            crop=degraded,
            label=face.label,
            index=index,
            mirrored=mirrored != bool(np.linalg.det(draws.matrix) < 0),
            key=face.key,
            view=view,
            second_label=None if second is None else second.label,
            share=min(max(draws.share, 0.0), 1.0),
            rows=rows,
        )


def _cut(stored: tuple[int, int], size: tuple[int, int]) -> Cut:
    """Where a crop of a size lies in one of the stored size."""
    return Cut.whole(*stored) if stored == size else Cut.of(crop_matrix(stored, size), *size)
