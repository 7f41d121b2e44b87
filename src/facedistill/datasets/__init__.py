"""Labelled faces from disk: RecordIO, folders, `.bin`, LFW, ORL, SCface, TinyFace, SurvFace."""

from facedistill.datasets.aligned import AlignedFaces, align_faces
from facedistill.datasets.bins import read_bin, write_bin
from facedistill.datasets.face import Damage, Face, FaceList, FaceSet, find_damage
from facedistill.datasets.folder import open_face_set
from facedistill.datasets.lfw import read_lfw_pairs
from facedistill.datasets.orl import load_orl
from facedistill.datasets.pairs import PairSet
from facedistill.datasets.recordio_set import write_face_set
from facedistill.datasets.recropped import RecroppedFaces
from facedistill.datasets.scface import read_scface
from facedistill.datasets.split import Subset, split_identities
from facedistill.datasets.survface import read_survface_pairs, read_survface_search
from facedistill.datasets.tinyface import read_tinyface

__all__ = [
    "AlignedFaces",
    "Damage",
    "Face",
    "FaceList",
    "FaceSet",
    "PairSet",
    "RecroppedFaces",
    "Subset",
    "align_faces",
    "find_damage",
    "load_orl",
    "open_face_set",
    "read_bin",
    "read_lfw_pairs",
    "read_scface",
    "read_survface_pairs",
    "read_survface_search",
    "read_tinyface",
    "split_identities",
    "write_bin",
    "write_face_set",
]
