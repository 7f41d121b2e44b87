"""insightface's `backbone.pth` (arcface_torch): a bare state dict, recognised by its keys."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facedistill.backbones.iresnet import CHANNELS, UNITS
from facedistill.errors import FacedistillError

_SIZES = {7 * 7: (112, 112), 7 * 6: (112, 96)}  # positions of the last map -> crop
_UNIT_KEY = re.compile(r"layer([1-4])\.(\d{1,3})\.")


def is_arcface(content: Any) -> bool:
    """Whether `content` has the keys of a state dict of arcface_torch's iresnet."""
    return isinstance(content, Mapping) and any(isinstance(key, str) and _UNIT_KEY.match(key) for key in content)


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


def adopt_preprocessing(net: nn.Module) -> None:
    """Makes a net that was trained on (x - 127.5) / 127.5 take what `normalise_crops` gives, (x - 127.5) / 128.

    Exact: its first convolution is linear and pads with zeros, which are the same grey in both.
    """
    with torch.no_grad():
        net.get_parameter("conv1.weight").mul_(128 / 127.5)


def _shape(weight: object) -> tuple[int, int] | None:
    return (weight.shape[0], weight.shape[1]) if isinstance(weight, Tensor) and weight.ndim == 2 else None


def _dashed(counts: tuple[int, ...] | list[int]) -> str:
    return "-".join(str(count) for count in counts)
