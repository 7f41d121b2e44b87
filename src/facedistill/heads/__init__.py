"""Heads: from an embedding to class scores, with the margins that make identities stand apart."""

from facedistill.heads.base import HEADS, Head
from facedistill.heads.build import build_head
from facedistill.heads.checkpoint import load_head
from facedistill.heads.margins import AMSoftmax, ArcFace
from facedistill.heads.softmax import Softmax

__all__ = ["HEADS", "AMSoftmax", "ArcFace", "Head", "Softmax", "build_head", "load_head"]
