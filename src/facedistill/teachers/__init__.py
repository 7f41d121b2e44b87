"""A teacher behind one interface (a torch checkpoint, an ONNX file, dlib), and the store of what it said."""

from facedistill.teachers.joint import JointTeacher, joined, parts_of, teacher_of
from facedistill.teachers.load import load_teacher
from facedistill.teachers.onnx_teacher import OnnxTeacher
from facedistill.teachers.store import TeacherStore, open_store
from facedistill.teachers.teacher import Teacher

__all__ = [
    "JointTeacher",
    "OnnxTeacher",
    "Teacher",
    "TeacherStore",
    "joined",
    "load_teacher",
    "open_store",
    "parts_of",
    "teacher_of",
]
