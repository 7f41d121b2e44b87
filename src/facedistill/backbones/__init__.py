"""Backbones: nets that turn a face crop into an embedding, one family a file."""

from facedistill.backbones.base import Backbone, BackboneSpec, normalise_crops
from facedistill.backbones.blocks import ACTIVATIONS
from facedistill.backbones.build import BACKBONES, build_backbone
from facedistill.backbones.checkpoint import load_backbone, save_backbone
from facedistill.backbones.count import count_macs, count_parameters
from facedistill.backbones.embed import embed_crops

__all__ = [
    "ACTIVATIONS",
    "BACKBONES",
    "Backbone",
    "BackboneSpec",
    "build_backbone",
    "count_macs",
    "count_parameters",
    "embed_crops",
    "load_backbone",
    "normalise_crops",
    "save_backbone",
]
