"""Fidelity: how near a student's embeddings are to the centred teacher's on faces that neither was trained on.

It needs no identities, so photographs that anybody may use can measure it where it counts: on real faces. The student
is shown the very view that the teacher is shown, at native resolution.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets import Face, FaceList, FaceSet
from facedistill.datasets.portraits import load_portraits
from facedistill.faces import CROP_128X112, Detector, align, find_face
from facedistill.teachers import Teacher
from facedistill.training.loop import Embed
from facedistill.training.targets import TargetSpace
from facedistill.training.viewed import ViewedFaces
from facedistill.views import Views

_RENDERED = 256  # faces of validation people
_VIEWS = 32  # of each portrait
_SEED = 0


@dataclass(frozen=True)
class _Shown:
    crops: NDArray[np.uint8]
    targets: NDArray[np.float32]


class Fidelity:
    """Mean cosine of the student to the centred teacher: on rendered people kept out, and on real faces.

    Args:
        teacher: The teacher, which is run once on all faces.
        space: How its embeddings become targets.
        rendered: Faces that are not trained on, in the widest crop that is stored; None where there are none.
        size: (height, width) of the student's crops.
        views: In which real faces are shown, each in 32.
    """

    def __init__(
        self, teacher: Teacher, space: TargetSpace, rendered: FaceSet | None, size: tuple[int, int], views: Views
    ) -> None:
        self._teacher, self._space, self._size = teacher, space, size
        self._shown: dict[str, _Shown] = {}
        if rendered is not None:
            places = np.linspace(0, len(rendered) - 1, min(_RENDERED, len(rendered))).astype(int).tolist()
            self._shown["rendered"] = self._show(rendered, Views(), places)
        if portraits := _portraits():
            faces = FaceList(portraits)
            self._shown["real"] = self._show(faces, views, [place % len(faces) for place in range(_VIEWS * len(faces))])

    def __call__(self, embed: Embed) -> Mapping[str, float]:
        """{"fidelity_rendered": ..., "fidelity_real": ...}, -1..1, of what there is."""
        figures = {}
        for name, shown in self._shown.items():
            ours = embed(shown.crops)
            lengths = np.linalg.norm(ours, axis=1)
            figures[f"fidelity_{name}"] = float(((ours * shown.targets).sum(axis=1) / lengths).mean())
        return figures

    def _show(self, stored: FaceSet, views: Views, places: Sequence[int]) -> _Shown:
        shown = ViewedFaces(
            stored, stored, views, (), False, _SEED, teacher_size=self._teacher.input_size, student_size=self._size
        )
        samples = [shown[position, place] for position, place in enumerate(places)]
        crops = np.stack([sample.view for sample in samples if sample.view is not None])
        return _Shown(np.stack([sample.crop for sample in samples]), self._space.centred(self._teacher.embed(crops)))


def _portraits() -> list[Face]:
    detector = Detector()
    faces: list[Face] = []
    for name, photo in load_portraits().items():
        if (face := find_face(detector, photo)) is not None:
            faces.append(Face(align(photo, face.landmarks, CROP_128X112.size), len(faces), name))
    return faces
