"""Finds and aligns the faces of a set that shows them unaligned."""

from dataclasses import dataclass

from facedistill.datasets.face import Face, FaceList, FaceSet
from facedistill.errors import FacedistillError
from facedistill.faces import Detector, align, crop_convention, find_face
from facedistill.progress import track


@dataclass(frozen=True)
class AlignedFaces:
    """What became of a set's pictures.

    Attributes:
        faces: The aligned crops, with the labels and keys of their pictures, in the set's order.
        failed: Keys of the pictures in which no face was found.
    """

    faces: FaceList
    failed: list[str]


def align_faces(faces: FaceSet, size: tuple[int, int] = (112, 96)) -> AlignedFaces:
    """Finds each picture's face and cuts its aligned crop.

    Args:
        faces: Pictures that each show one person.
        size: (height, width) of a crop convention.

    Raises:
        UsageError: No crop convention has that size.
        FacedistillError: A picture is damaged, or no face was found in any.
    """
    crop_convention(size)
    detector = Detector()
    aligned, failed = [], []
    for index in track(range(len(faces)), "aligning faces"):
        face = faces[index]
        found = find_face(detector, face.image)
        if found is None:
            failed.append(face.key)
        else:
            aligned.append(Face(align(face.image, found.landmarks, size), face.label, face.key))
    if not aligned:
        raise FacedistillError(f"no face was found in any of {len(faces)} pictures; are they photos of faces?")
    return AlignedFaces(FaceList(aligned), failed)
