"""AdaFace's names for the layers of an iresnet (https://github.com/mk-minchul/AdaFace, net.py; Kim et al. 2022)."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facedistill.backbones.iresnet import CHANNELS
from facedistill.errors import FacedistillError

ANCHOR = "body.0.res_layer.5.weight"
"""A layer that its units have, and those of the nets that it was made from (face.evoLVe) have not."""

_UNIT = re.compile(r"body\.(\d{1,3})\.(res_layer\.[0-5]|shortcut_layer\.[01])\.(\w+)")
_PARTS = {
    "res_layer.0": "bn1",
    "res_layer.1": "conv1",
    "res_layer.2": "bn2",
    "res_layer.3": "prelu",
    "res_layer.4": "conv2",
    "res_layer.5": "bn3",
    "shortcut_layer.0": "downsample.0",
    "shortcut_layer.1": "downsample.1",
}
_OTHERS = {
    "input_layer.0.": "conv1.",
    "input_layer.1.": "bn1.",
    "input_layer.2.": "prelu.",
    "output_layer.0.": "bn2.",
    "output_layer.3.": "fc.",
    "output_layer.4.": "features.",
}
_EPSILON = 1e-5  # of torch's batch norm


def arcface_names(path: Path, weights: Mapping[str, Any]) -> dict[str, Any]:
    """The same weights under arcface_torch's names, and those that AdaFace's net does without.

    Its first unit takes every other pixel where arcface_torch's has a convolution, which becomes the identity; its
    last norm has no scale and bias, which become 1 and 0.

    Raises:
        FacedistillError: A unit has no second convolution, so its stage is not known.
    """
    places = _places(path, weights)
    renamed: dict[str, Any] = {}
    for key, value in weights.items():
        if match := _UNIT.fullmatch(str(key)):
            renamed[f"{places[int(match[1])]}.{_PARTS[match[2]]}.{match[3]}"] = value
        else:
            found = next((name for name in _OTHERS if str(key).startswith(name)), "")
            renamed[_OTHERS.get(found, found) + str(key).removeprefix(found)] = value
    channels = CHANNELS[0]
    size = _length(renamed.get("fc.bias"))
    identity = torch.eye(channels)[:, :, None, None]
    return {
        "layer1.0.downsample.0.weight": identity,
        **_norm("layer1.0.downsample.1", channels),
        "features.weight": torch.ones(size),
        "features.bias": torch.zeros(size),
        **renamed,
    }


def _places(path: Path, weights: Mapping[str, Any]) -> dict[int, str]:
    """Unit -> its place in arcface_torch's net; the number of channels tells the stage."""
    numbers = sorted({int(match[1]) for key in weights if (match := _UNIT.fullmatch(str(key)))})
    places, counts = {}, [0] * len(CHANNELS)
    for number in numbers:
        channels = _length(weights.get(f"body.{number}.res_layer.4.weight"))
        if channels not in CHANNELS:
            raise FacedistillError(f"{path}: its unit body.{number} has {channels} channels; known are {CHANNELS}")
        stage = CHANNELS.index(channels)
        places[number] = f"layer{stage + 1}.{counts[stage]}"
        counts[stage] += 1
    return places


def _length(value: object) -> int:
    return len(value) if isinstance(value, Tensor) and value.ndim else 0


def _norm(name: str, channels: int) -> dict[str, Tensor]:
    """A batch norm that changes nothing."""
    return {
        f"{name}.weight": torch.ones(channels),
        f"{name}.bias": torch.zeros(channels),
        f"{name}.running_mean": torch.zeros(channels),
        f"{name}.running_var": torch.full((channels,), 1 - _EPSILON),
    }
