"""A teacher behind one interface (a torch checkpoint, an ONNX file, dlib), and the store of what it said."""

from facedistill.teachers.load import load_teacher
from facedistill.teachers.onnx_teacher import OnnxTeacher
from facedistill.teachers.store import TeacherStore, open_store
from facedistill.teachers.teacher import Teacher

__all__ = ["OnnxTeacher", "Teacher", "TeacherStore", "load_teacher", "open_store"]
