"""Face detection and alignment over a whole set."""

from dataclasses import dataclass

from facedistill.datasets.face import Face, FaceList, FaceSet
from facedistill.errors import FacedistillError
from facedistill.faces import Detector, align, crop_convention, find_face
from facedistill.pictures import UnreadablePicture
from facedistill.progress import track


@dataclass(frozen=True)
class AlignedFaces:
    """The crops of a set, and its pictures without one.

    Attributes:
        faces: The aligned crops, with the labels and keys of their pictures, in the set's order.
        failed: A line for each picture that gave no crop: its key where no face was found in it, and the reason,
            which names the file, where it cannot be read.
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
        FacedistillError: No picture gave a crop, or the set itself is damaged.
    """
    crop_convention(size)
    detector = Detector()
    aligned, failed = [], []
    for index in track(range(len(faces)), "aligning faces"):
        try:
            face = faces[index]
        except UnreadablePicture as error:
            failed.append(str(error))
            continue
        found = find_face(detector, face.image)
        if found is None:
            failed.append(face.key)
        else:
            aligned.append(Face(align(face.image, found.landmarks, size), face.label, face.key))
    if not aligned:
        raise FacedistillError(f"no face was found in any of {len(faces)} pictures; are they photos of faces?")
    return AlignedFaces(FaceList(aligned), failed)
