"""A net's weights as a student's start: a checkpoint's, a model file's, or dlib's, thinned to the student's width.

Pictures of synthetic people cannot teach what a teacher knows of real faces; its weights carry it over.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facedistill.backbones import Backbone, BackboneSpec, build_backbone, load_backbone, normalise_crops
from facedistill.backbones.blocks import scaled
from facedistill.backbones.dlibresnet import STAGES
from facedistill.backbones.int8_weights import load_int8_backbone
from facedistill.backbones.twobranch import branch_specs, join_branches
from facedistill.datasets import FaceSet
from facedistill.errors import UsageError
from facedistill.models import shipped_models
from facedistill.teachers.dlib_net import PIXEL_SCALE, read_dlib_net
from facedistill.teachers.dlib_teacher import dlib_weights
from facedistill.teachers.factorise import factorise
from facedistill.teachers.teacher import DLIB

_ONNX = ".onnx"
_NET, _FACTORISED = "dlibresnet", "dliblowrank"
_JOINED = "twobranch"
_SHARE = 0.8  # of the sharp branch in the similarity of sharp faces
_FACES = 256  # that decide which directions a factorised net keeps
_STEM, _PROJECTION = "stages.0.1", "neck.2.weight"


def load_start(backbone: Backbone, start: str, faces: FaceSet | None = None) -> None:
    """Fills a net with another's weights.

    Args:
        backbone: The net, on the CPU.
        start: `dlib` for a `dlibresnet` or a `dliblowrank`; or a checkpoint, a shipped model's name or an int8 model
            file, each of the very same net. A `dlibresnet` may be thinner than what it starts from, and then keeps the
            channels that matter most, see `thinned`.
        faces: Faces in the net's crops, of which 256 decide what a `dliblowrank` keeps of dlib's net, see `factorise`;
            needed for that and for a `twobranch`, whose start is that of its two branches: SHARP+SMALL.

    Raises:
        UsageError: The weights are of another net.
        FacedistillError: The weights are missing or damaged.
    """
    if len(parts := start_parts(start)) > 1:
        _join(backbone, parts, faces)
        return
    source = dlib_backbone(backbone.input_size) if start == DLIB else _load(shipped_models().get(start, Path(start)))
    if start == DLIB and backbone.spec["name"] == _FACTORISED:
        factorise(source, backbone, _some_crops(faces))
        return
    if source.preprocessing.offset:
        raise UsageError(
            f"recipe: student.start: {start} was trained on {source.preprocessing}; only nets that were trained on "
            "pixels of the mean 127.5 can be a student's start"
        )
    ours, theirs = backbone.spec, source.spec
    weights: Mapping[str, Tensor] = source.state_dict()
    differing = [key for key, value in theirs.items() if ours.get(key) != value]
    if differing == ["width"] and ours["name"] == _NET and not ours["se"] and ours["width"] < theirs["width"]:
        weights = thinned(weights, [scaled(channels, ours["width"]) for channels, _ in STAGES])
    elif differing:
        differences = ", ".join(f"{key} {theirs[key]} instead of {ours.get(key)}" for key in differing)
        raise UsageError(f"recipe: student.start: {start} is another net than the recipe's student: {differences}")
    backbone.load_state_dict(weights)


def start_parts(start: str) -> list[str]:
    """The starts of a net's branches, `SHARP+SMALL`; or the one of the whole net."""
    return [start] if Path(start).is_file() else [part.strip() for part in start.split("+")]


def _join(backbone: Backbone, starts: Sequence[str], faces: FaceSet | None) -> None:
    """Fills a `twobranch` with the weights of its two branches, each from a start of its own."""
    name = backbone.spec["name"]
    if name != _JOINED or len(starts) != 2:
        needed = "SHARP+SMALL" if name == _JOINED else "one start"
        raise UsageError(f"recipe: student.start: {'+'.join(starts)} is none for a {name}, which takes {needed}")
    sharp, small = (build_backbone(**asdict(spec)) for spec in branch_specs(BackboneSpec(**backbone.spec)))
    for branch, start in zip((sharp, small), starts, strict=True):
        load_start(branch, start, faces)
    join_branches(backbone, sharp, small, _some_crops(faces), _SHARE)


def _some_crops(faces: FaceSet | None) -> Tensor:
    """float32 [N, 3, H, W] of at most 256 faces, evenly out of the set."""
    if not faces:
        raise UsageError(f"recipe: student.start: {DLIB} as a {_FACTORISED} needs faces to train on")
    places = np.linspace(0, len(faces) - 1, min(_FACES, len(faces))).astype(int)
    return normalise_crops(torch.from_numpy(np.stack([faces[place].image for place in places.tolist()])))


def _load(path: Path) -> Backbone:
    return load_int8_backbone(path) if path.suffix.lower() == _ONNX else load_backbone(path)


def dlib_backbone(input_size: tuple[int, int]) -> Backbone:
    """Dlib's net, as it is shipped, for crops of (height, width).

    Raises:
        UsageError: No crop convention has that size, or the package with the weights is not installed.
        FacedistillError: Its file is damaged.
    """
    net = read_dlib_net(dlib_weights())
    backbone = build_backbone(_NET, net.projection.shape[1], input_size)
    weights = {_PROJECTION: torch.from_numpy(net.projection.T)}
    names = [_STEM, *(f"{unit}.{part}" for _, unit in _units() for part in ("first", "second"))]
    layers = [net.stem, *(layer for unit in net.units for layer in (unit.first, unit.second))]
    for name, layer in zip(names, layers, strict=True):
        weights[f"{name}.weight"] = torch.from_numpy(layer.weight)
        weights[f"{name}.bias"] = torch.from_numpy(layer.bias)
    # The net's (pixel - mean) / 256 instead of our (pixel - 127.5) / 128: exact, because the stem pads nothing.
    stem = weights[f"{_STEM}.weight"].double()
    offset = (127.5 - torch.tensor(net.means, dtype=torch.float64)) / PIXEL_SCALE
    weights[f"{_STEM}.bias"] = weights[f"{_STEM}.bias"] + (stem * offset[:, None, None]).sum(dim=(1, 2, 3))
    weights[f"{_STEM}.weight"] = stem * 128 / PIXEL_SCALE
    backbone.load_state_dict(weights)
    return backbone.eval()


def thinned(weights: Mapping[str, Tensor], widths: Sequence[int]) -> dict[str, Tensor]:
    """The channels of a `dlibresnet` that matter most, as the state dict of a thinner one.

    A channel matters as much as the norm of all filters that write it times the norm of all weights that read it. The
    norms of the net are part of its filters, so this is the norm's scale times the filter's norm (Liu et al. 2017,
    "network slimming", takes the scale alone; Li et al. 2017 the filter alone), weighed by who listens. Whoever reads
    a channel that is gone loses those weights.

    The units of a stage add to the same channels, and those of a stage go on as the first ones of the next; so the
    channels that are kept are nested.

    Args:
        weights: The state dict of the wider net, without squeeze-and-excitation.
        widths: Channels to keep in each of the four stages; not falling, and at most the wider net's.
    """
    kept = _kept_channels(weights, widths)
    result: dict[str, Tensor] = {}

    def put(name: str, out: Tensor, inside: Tensor) -> None:
        result[f"{name}.weight"] = weights[f"{name}.weight"][out][:, inside]
        result[f"{name}.bias"] = weights[f"{name}.bias"][out]

    put(_STEM, kept[0], torch.arange(3))
    inside = kept[0]
    for stage, unit in _units():
        outside = kept[stage]
        first, second = weights[f"{unit}.first.weight"], weights[f"{unit}.second.weight"]
        inner = _top(_norms(first, 0) * _norms(second, 1), len(outside))
        put(f"{unit}.first", inner, inside)
        put(f"{unit}.second", outside, inner)
        inside = outside
    result[_PROJECTION] = weights[_PROJECTION][:, inside]
    return result


def _kept_channels(weights: Mapping[str, Tensor], widths: Sequence[int]) -> list[Tensor]:
    """Per stage, the channels of the wider net that are kept, in the order they take in the thinner one."""
    units = list(_units())
    counts = [len(weights[f"{unit}.second.weight"]) for stage, unit in units]
    written, read = torch.zeros(counts[-1], dtype=torch.float64), torch.zeros(counts[-1], dtype=torch.float64)
    for writer in (_STEM, *(f"{unit}.second" for _, unit in units)):
        norms = _norms(weights[f"{writer}.weight"], 0)
        written[: len(norms)] += norms**2
    for reader in (*(f"{unit}.first.weight" for _, unit in units), _PROJECTION):
        norms = _norms(weights[reader], 1)
        read[: len(norms)] += norms**2
    importance = (written * read).sqrt()
    kept: list[Tensor] = []
    chosen = torch.empty(0, dtype=torch.int64)
    sizes = {stage: count for (stage, _), count in zip(units, counts, strict=True)}
    for stage, width in enumerate(widths):
        fresh = importance[: sizes[stage]].clone()
        fresh[chosen] = -torch.inf
        chosen = torch.cat([chosen, _top(fresh, width - len(chosen))])
        kept.append(chosen)
    return kept


def _units() -> Iterator[tuple[int, str]]:
    """Stage and name of each residual unit, from the stem upwards."""
    for stage, (_, halvings) in enumerate(STAGES):
        for place in range(len(halvings)):
            yield stage, f"stages.{stage}.{place + 4 if stage == 0 else place}"  # behind crop, stem, activation, pool


def _norms(weight: Tensor, axis: int) -> Tensor:
    """The Euclidean norm of each slice along `axis`, float64."""
    norms: Tensor = torch.linalg.vector_norm(weight.double().transpose(0, axis).flatten(1), dim=1)
    return norms


def _top(importance: Tensor, count: int) -> Tensor:
    """The places of the `count` largest, in their old order."""
    return torch.sort(importance.argsort(descending=True, stable=True)[:count])[0]
