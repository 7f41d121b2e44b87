"""A teacher's own weights as a student's start: those of a checkpoint, or dlib's, thinned to the student's width.

What a teacher knows of real faces cannot be taught by pictures of people who do not exist; its weights bring it along.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facedistill.backbones import Backbone, load_backbone
from facedistill.backbones.blocks import scaled
from facedistill.backbones.dlibresnet import STAGES
from facedistill.errors import UsageError
from facedistill.teachers.dlib_net import PIXEL_SCALE, Convolution, DlibNet, FloatArray, read_dlib_net
from facedistill.teachers.dlib_teacher import dlib_weights
from facedistill.teachers.load import DLIB

Channels = NDArray[np.int64]


def load_start(backbone: Backbone, start: str) -> None:
    """Fills a net with a teacher's weights.

    Args:
        backbone: The net, on the CPU.
        start: `dlib` for a `dlibresnet` (a thinner one keeps the channels that matter most, see `thinned`), or a
            checkpoint of the very same net.

    Raises:
        UsageError: The net is another one than the weights are for.
        FacedistillError: The weights are missing or damaged.
    """
    if start == DLIB:
        widths = [scaled(channels, backbone.spec["width"]) for channels, _ in STAGES]
        weights = thinned(read_dlib_net(dlib_weights()), widths)
    else:
        source = load_backbone(Path(start))
        if differing := [key for key, value in source.spec.items() if backbone.spec[key] != value]:
            said = ", ".join(f"{key} {source.spec[key]} instead of {backbone.spec[key]}" for key in differing)
            raise UsageError(f"student.start: {start} holds another net than the recipe's student: {said}")
        weights = source.state_dict()
    backbone.load_state_dict(weights)


def thinned(net: DlibNet, widths: list[int]) -> dict[str, Tensor]:
    """The weights of dlib's channels that matter most, as the state dict of a `dlibresnet`.

    A channel matters as much as the norm of all filters that write it times the norm of all weights that read it. The
    norms of the net are part of its filters, so this is the norm's scale times the filter's norm (Liu et al. 2017,
    "network slimming", by the scale alone; Li et al. 2017 by the filter alone), weighed by who listens. Whoever reads
    a channel that is gone loses those weights. At full width nothing changes.

    The units of a stage add to the same channels, and those of a stage go on as the first ones of the next; so the
    channels that are kept are nested.

    Args:
        net: As dlib ships it.
        widths: Channels to keep in each of the four stages; not falling, and at most dlib's.
    """
    kept = _kept_channels(net, widths)
    weights: dict[str, Tensor] = {}
    numbers = [(stage, place) for stage, (_, halvings) in enumerate(STAGES) for place in range(len(halvings))]

    def put(name: str, layer: Convolution, out: Channels, inside: Channels) -> None:
        weights[f"{name}.weight"] = _tensor(layer.weight[out][:, inside])
        weights[f"{name}.bias"] = _tensor(layer.bias[out])

    put("stages.0.1", _on_normalised_crops(net), kept[0], np.arange(3))
    inside = kept[0]
    for (stage, place), unit in zip(numbers, net.units, strict=True):
        outside = kept[stage]
        inner = _top(_norms(unit.first.weight, 0) * _norms(unit.second.weight, 1), len(outside))
        name = f"stages.{stage}.{place + 4 if stage == 0 else place}"  # behind crop, stem, activation and pool
        put(f"{name}.first", unit.first, inner, inside)
        put(f"{name}.second", unit.second, outside, inner)
        inside = outside
    weights["neck.2.weight"] = _tensor(net.projection[inside].T)
    return weights


def _kept_channels(net: DlibNet, widths: list[int]) -> list[Channels]:
    """Per stage, the channels of dlib's that are kept, in the order they take in the thinner net."""
    channels = STAGES[-1][0]
    written, read = np.zeros(channels), np.zeros(channels)  # squared norms
    for writer in (net.stem, *(unit.second for unit in net.units)):
        written[: len(writer.weight)] += _norms(writer.weight, 0) ** 2
    for reader in (*(unit.first.weight for unit in net.units), net.projection.T):
        read[: reader.shape[1]] += _norms(reader, 1) ** 2
    importance = np.sqrt(written * read)
    kept: list[Channels] = []
    before = np.empty(0, np.int64)
    for (count, _), width in zip(STAGES, widths, strict=True):
        fresh = np.where(np.isin(np.arange(count), before), -np.inf, importance[:count])
        before = np.concatenate([before, _top(fresh, width - len(before))])
        kept.append(before)
    return kept


def _on_normalised_crops(net: DlibNet) -> Convolution:
    """The stem on (pixel - 127.5) / 128 instead of (pixel - mean) / 256: exact, because it pads nothing."""
    offset = (127.5 - np.array(net.means)) / PIXEL_SCALE
    weight = net.stem.weight.astype(np.float64)
    bias = net.stem.bias + (weight * offset[:, None, None]).sum(axis=(1, 2, 3))
    scale = 128 / PIXEL_SCALE
    return Convolution((weight * scale).astype(np.float32), bias.astype(np.float32), net.stem.stride, net.stem.padding)


def _norms(weight: FloatArray, axis: int) -> NDArray[np.float64]:
    """The Euclidean norm of each slice along `axis`."""
    others = tuple(other for other in range(weight.ndim) if other != axis)
    return np.asarray(np.sqrt((weight.astype(np.float64) ** 2).sum(axis=others)))


def _top(importance: NDArray[np.float64], count: int) -> Channels:
    """The places of the `count` largest, in their old order."""
    return np.sort(np.argsort(-importance, kind="stable")[:count])


def _tensor(values: FloatArray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
