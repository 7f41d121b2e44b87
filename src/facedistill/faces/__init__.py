"""One face in one picture: detected, aligned, cut to a crop convention."""

from facedistill.faces.alignment import align, crop_matrix, recrop, shown_rows, shown_share, similarity_transform
from facedistill.faces.choice import FaceChoice, NoFaceError, SeveralFacesError, choose_face, find_face
from facedistill.faces.crops import (
    CROP_112X96,
    CROP_112X112,
    CROP_128X112,
    CROP_150X150,
    CropConvention,
    crop_convention,
)
from facedistill.faces.detector import Detection, Detector, check_least_face

__all__ = [
    "CROP_112X96",
    "CROP_112X112",
    "CROP_128X112",
    "CROP_150X150",
    "CropConvention",
    "Detection",
    "Detector",
    "FaceChoice",
    "NoFaceError",
    "SeveralFacesError",
    "align",
    "check_least_face",
    "choose_face",
    "crop_convention",
    "crop_matrix",
    "find_face",
    "recrop",
    "shown_rows",
    "shown_share",
    "similarity_transform",
]
