"""Distillation losses, one a file. Importing a loss's class here registers it in `LOSSES`."""

from facedistill.losses.adadistill import AdaDistill as AdaDistill
from facedistill.losses.attention import Attention as Attention
from facedistill.losses.attention_similarity import AttentionSimilarity as AttentionSimilarity
from facedistill.losses.checked import CheckedLoss as CheckedLoss
from facedistill.losses.cosine import Cosine as Cosine
from facedistill.losses.cross_sample import CrossSample as CrossSample
from facedistill.losses.dist import Dist as Dist
from facedistill.losses.dkd import Dkd as Dkd
from facedistill.losses.ekd import Ekd as Ekd
from facedistill.losses.fitnets import FitNets as FitNets
from facedistill.losses.infonce import InfoNce as InfoNce
from facedistill.losses.l2 import L2 as L2
from facedistill.losses.margin import Margin as Margin
from facedistill.losses.mk_mmd import MkMmd as MkMmd
from facedistill.losses.neurons import Neurons as Neurons
from facedistill.losses.pkt import Pkt as Pkt
from facedistill.losses.registered import LOSSES as LOSSES
from facedistill.losses.registered import build_loss as build_loss
from facedistill.losses.rkd import Rkd as Rkd
from facedistill.losses.seed import Seed as Seed
from facedistill.losses.soft import Soft as Soft
from facedistill.losses.sp import Sp as Sp
