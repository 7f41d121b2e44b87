"""Distillation losses, one a file. Importing a loss's class here is what enters it in `LOSSES`."""

from facedistill.losses.base import LOSSES as LOSSES
from facedistill.losses.base import DistillationLoss as DistillationLoss
from facedistill.losses.build import build_loss as build_loss
from facedistill.losses.cosine import Cosine as Cosine
from facedistill.losses.l2 import L2 as L2
from facedistill.losses.mk_mmd import MkMmd as MkMmd
from facedistill.losses.soft import Soft as Soft
