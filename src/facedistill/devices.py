"""What `auto` means on this machine: the device, and the precision that it computes in."""

from collections.abc import Mapping

import torch

from facedistill.errors import UsageError


def choose_device(device: str) -> str:
    """What `auto` means here; another name is returned.

    Raises:
        UsageError: Torch cannot use the device on this machine.
    """
    usable = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return next(name for name, there in usable.items() if there)
    if not usable.get(device, True):
        raise UsageError(
            f"device is {device}, which torch {torch.__version__} cannot use on this machine; give auto or cpu"
        )
    return device


def computes_bf16(device: str) -> bool:
    """Whether bf16 is native there; emulated, it is slower than 32 bits."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device == "mps":
        return False
    # Older torch does not report it; then 32 bits are the safe choice.
    capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
