"""Which device and precision a recipe's `auto` means on this machine."""

import logging
from collections.abc import Mapping
from typing import Literal

import torch
from lightning_fabric import Fabric


def make_fabric(device: str, precision: str) -> Fabric:
    """The engine that runs the steps.

    Args:
        device: `auto`, `cpu`, `cuda` or `mps`.
        precision: `auto`, `32` or `bf16`.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces what the recipe says
    chosen = _best_device() if device == "auto" else device
    half = precision == "bf16" or (precision == "auto" and _computes_bf16(chosen))
    kind: Literal["bf16-mixed", "32-true"] = "bf16-mixed" if half else "32-true"
    return Fabric(accelerator=chosen, devices=1, precision=kind)


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _computes_bf16(device: str) -> bool:
    """Whether bf16 is native there; emulated, it is slower than 32 bits."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device == "mps":
        return False
    # Older torch cannot tell; then 32 bits are the safe choice.
    capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
