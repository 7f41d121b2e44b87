"""Heads: from an embedding to class scores, with the margins that make identities stand apart."""

from facedistill.heads.adaface import AdaFace
from facedistill.heads.asoftmax import ASoftmax
from facedistill.heads.base import HEADS, Head
from facedistill.heads.build import build_head
from facedistill.heads.checkpoint import load_head
from facedistill.heads.curricularface import CurricularFace
from facedistill.heads.magface import MagFace
from facedistill.heads.margins import AMSoftmax, ArcFace, add_angle
from facedistill.heads.sharded import ShardedHead
from facedistill.heads.sharded_file import drop_parts, load_parts, save_part
from facedistill.heads.softmax import Softmax

__all__ = [
    "HEADS",
    "AMSoftmax",
    "ASoftmax",
    "AdaFace",
    "ArcFace",
    "CurricularFace",
    "Head",
    "MagFace",
    "ShardedHead",
    "Softmax",
    "add_angle",
    "build_head",
    "drop_parts",
    "load_head",
    "load_parts",
    "save_part",
]
