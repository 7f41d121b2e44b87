"""A teacher behind one interface (a torch checkpoint, an ONNX file, dlib), and the cache of its embeddings."""

from facedistill.teachers.cache import TeacherCache, open_cache, open_shown_cache
from facedistill.teachers.joint import JointTeacher, joined, load_teachers, parts_of
from facedistill.teachers.load import load_teacher
from facedistill.teachers.onnx_teacher import OnnxTeacher
from facedistill.teachers.shown import Shown
from facedistill.teachers.teacher import Teacher

__all__ = [
    "JointTeacher",
    "OnnxTeacher",
    "Shown",
    "Teacher",
    "TeacherCache",
    "joined",
    "load_teacher",
    "load_teachers",
    "open_cache",
    "open_shown_cache",
    "parts_of",
]
