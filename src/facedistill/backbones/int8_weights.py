"""Weights of 8 bits: each filter, and each row of a matrix, as int8 numbers times a scale of its own.

The embeddings are computed in float32; only what is stored shrinks, to about a quarter. Symmetric and per output
channel, as "weight only" in Krishnamoorthi 2018, "Quantizing deep convolutional networks for efficient inference"
(https://arxiv.org/abs/1806.08342); a norm behind a filter changes its scale alone.
"""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

import torch
from onnx import numpy_helper
from torch import Tensor, nn

from facedistill.backbones.base import Backbone
from facedistill.backbones.build import BACKBONES, build_backbone
from facedistill.backbones.checkpoint import rebuild, require_imported
from facedistill.errors import FacedistillError
from facedistill.model_file import ModelMetadata
from facedistill.onnx_files import load_graph, run_failure

NUMBERS, SCALE = "_int8", "_scale"  # suffixes of an initialiser's name, in place of the weight itself
ROOT = "backbone."  # what precedes the names of the state dict in a model file

_MOST = 127

M = TypeVar("M", bound=nn.Module)


def int8_weights(net: nn.Module) -> dict[str, tuple[Tensor, Tensor]]:
    """The weights of all convolutions and linear layers, by their names in the state dict.

    Returns:
        Name -> int8 numbers [O, ...] within -127..127, and scales, float32 [O, 1, ...] above 0. Their product is the
        nearest to the weight of a filter that a scale of (largest magnitude) / 127 gives.
    """
    found = {}
    for name, layer in net.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            weight = layer.weight.detach().float().cpu()
            scale = weight.abs().amax(dim=tuple(range(1, weight.ndim)), keepdim=True) / _MOST
            scale = torch.where(scale > 0, scale, 1.0)
            found[f"{name}.weight"] = (weight / scale).round().clamp(-_MOST, _MOST).to(torch.int8), scale
    return found


def with_int8_weights(net: M) -> M:
    """A copy of a net, with float weights that are those which `int8_weights` stores."""
    rounded = deepcopy(net)
    weights = rounded.state_dict()
    for name, (numbers, scale) in int8_weights(net).items():
        weights[name].copy_(numbers * scale)
    return rounded


def load_int8_backbone(path: Path) -> Backbone:
    """The net in a model file with int8 weights, as float32 weights; on the CPU, in evaluation mode.

    Such a file keeps the norms, which in other model files are part of the filters; so it can be trained on.

    Raises:
        FacedistillError: The file is missing or damaged, has folded norms, or its weights do not fit its description.
    """
    model = load_graph(path, str(path), "copy or export it again")
    try:
        arrays = {
            entry.name: torch.from_numpy(numpy_helper.to_array(entry).copy()) for entry in model.graph.initializer
        }
    except Exception as error:  # onnx's errors share no base class
        raise FacedistillError(
            f"{path} is no intact ONNX file ({run_failure(error)}); copy or export it again"
        ) from error
    metadata = ModelMetadata.from_map({entry.key: entry.value for entry in model.metadata_props}, str(path))
    if not metadata.net or not any(name.endswith(NUMBERS) for name in arrays):
        raise FacedistillError(
            f"{path} holds no net to go on with, as its norms are folded; give a run's best.pt, or a file of "
            "`facedistill export RUN OUT.onnx --weights int8`"
        )
    spec = metadata.net
    require_imported(path, BACKBONES, spec.get("name"))
    return rebuild(path, "net", lambda: build_backbone(**spec), _state(arrays))


def _state(arrays: Mapping[str, Tensor]) -> dict[str, Any]:
    """The state dict in a graph's initialisers."""
    weights: dict[str, Any] = {}
    for name, value in arrays.items():
        key = name.removeprefix(ROOT)
        if name.startswith(ROOT) and key.endswith(NUMBERS):
            scale = arrays.get(name.removesuffix(NUMBERS) + SCALE)
            weights[key.removesuffix(NUMBERS)] = None if scale is None else value * scale
        elif name.startswith(ROOT) and not key.endswith(SCALE):
            weights[key] = value
            if key.endswith(
                "running_mean"
            ):  # how many batches it is a mean of is in no graph, and no norm of ours uses it
                weights[f"{key.removesuffix('running_mean')}num_batches_tracked"] = torch.tensor(0)
    return weights
