"""Weights that others trained of insightface's iresnet, under the names that they gave its layers.

Known are arcface_torch's `backbone.pth` and `checkpoint_gpu_0.pt`, MagFace's checkpoints and AdaFace's, with whatever
a wrapper (`DataParallel`, a trainer) put before the names, and in whatever entry of the file.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facedistill.backbones.adaface import ANCHOR as ADAFACE_ANCHOR
from facedistill.backbones.adaface import arcface_names
from facedistill.backbones.iresnet import CHANNELS, UNITS
from facedistill.backbones.preprocessing import OUR_STD, Preprocessing
from facedistill.errors import FacedistillError
from facedistill.printable import printable

_SIZES = {7 * 7: (112, 112), 7 * 6: (112, 96)}  # positions of the last map -> crop
_UNIT_KEY = re.compile(r"layer([1-4])\.(\d{1,3})\.")
_ANCHOR = "layer1.0.prelu.weight"
_ARCFACE = Preprocessing(127.5, 127.5, "rgb")
# https://github.com/mk-minchul/AdaFace (README, "General Inference Guideline"): BGR, (x / 255 - 0.5) / 0.5.
_ADAFACE = Preprocessing(127.5, 127.5, "bgr")
# https://github.com/IrvingMeng/MagFace (inference/gen_feat.py): OpenCV's BGR, x / 255.
_MAGFACE, _MAGFACE_PREFIX = Preprocessing(0.0, 255.0, "bgr"), "features.module."


@dataclass(frozen=True)
class ForeignWeights:
    """Weights of an iresnet, under our names.

    Attributes:
        weights: Name -> tensor.
        preprocessing: What the net was trained on.
    """

    weights: dict[str, Any]
    preprocessing: Preprocessing


def find_weights(path: Path, content: Any) -> ForeignWeights | None:
    """The weights of an iresnet in a file; None where there are none.

    Args:
        path: The file, for messages.
        content: What it holds: weights, or entries of which one holds weights (`state_dict`, `state_dict_backbone`,
            `model`), with or without a prefix (`module.`, `backbone.`, `features.module.`, `model.`).

    Raises:
        FacedistillError: It holds several.
    """
    if not isinstance(content, Mapping):
        return None
    found = list(_places(content))
    if len(found) > 1:
        names = ", ".join(printable(f"{entry or 'the file itself'}: {prefix}*"[:80]) for entry, prefix, *_ in found)
        raise FacedistillError(f"{path} holds several nets ({names}); save the weights of one to a file of their own")
    if not found:
        return None
    _entry, prefix, anchor, held = found[0]
    weights = {key.removeprefix(prefix): value for key, value in held.items() if str(key).startswith(prefix)}
    preprocessing = _MAGFACE if prefix == _MAGFACE_PREFIX else _ARCFACE
    if anchor == ADAFACE_ANCHOR:
        weights, preprocessing = arcface_names(path, weights), _ADAFACE
    for key in [key for key in weights if str(key).endswith(".running_var")]:  # torch 0.4 did not count batches yet
        weights.setdefault(key.replace("running_var", "num_batches_tracked"), torch.tensor(0))
    return ForeignWeights(weights, preprocessing)


def _places(content: Mapping[Any, Any]) -> Iterator[tuple[str, str, str, Mapping[Any, Any]]]:
    """Entry, prefix, the layer it was recognised by, and the content of each place that holds an iresnet."""
    inside = {str(name): value for name, value in content.items() if isinstance(value, Mapping)}
    for entry, weights in {"": content, **inside}.items():
        for key in weights:
            for anchor in (_ANCHOR, ADAFACE_ANCHOR):
                prefix = str(key).removesuffix(anchor)
                if prefix != key and (not prefix or prefix.endswith(".")):
                    yield entry, prefix, anchor, weights


def arcface_spec(path: Path, weights: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `build_backbone` for the net whose weights these are.

    Raises:
        FacedistillError: It has another number of units than the nets that are known.
    """
    units = [0] * len(CHANNELS)
    for key in weights:
        if match := _UNIT_KEY.match(str(key)):
            stage, unit = int(match[1]) - 1, int(match[2])
            units[stage] = max(units[stage], unit + 1)
    name = next((name for name, known in UNITS.items() if list(known) == units), None)
    if name is None:
        known = ", ".join(f"{name} ({_dashed(counts)})" for name, counts in UNITS.items())
        raise FacedistillError(f"{path}: its layers have {_dashed(units)} units; known are {known}")
    shape = _shape(weights.get("fc.weight"))
    return {
        "name": name,
        "embedding_size": shape[0] if shape else 512,
        "input_size": _SIZES.get(shape[1] // CHANNELS[-1] if shape else 0, (112, 112)),
        "activation": "prelu",
    }


def adopt_preprocessing(net: nn.Module, preprocessing: Preprocessing) -> None:
    """Makes a net that was trained on other pixels take what `normalise_crops` gives, (x - 127.5) / 128, RGB.

    Exact: its first convolution is linear. A mean other than 127.5 cannot go into it, because the convolution pads
    with zeros, which are the mean's grey; the net then adds `preprocessing.offset` to its crops.
    """
    with torch.no_grad():
        weight = net.get_parameter("conv1.weight")
        weight.mul_(OUR_STD / preprocessing.std)
        if preprocessing.channels == "bgr":
            weight.copy_(weight.flip(1))


def _shape(weight: object) -> tuple[int, int] | None:
    return (weight.shape[0], weight.shape[1]) if isinstance(weight, Tensor) and weight.ndim == 2 else None


def _dashed(counts: tuple[int, ...] | list[int]) -> str:
    return "-".join(str(count) for count in counts)
