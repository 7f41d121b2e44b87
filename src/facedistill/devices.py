"""What `auto` means on this machine: the device, and the precision that it computes in."""

from collections.abc import Mapping

import torch


def choose_device(device: str) -> str:
    """What `auto` means here; another name is returned."""
    if device != "auto":
        return device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def computes_bf16(device: str) -> bool:
    """Whether bf16 is native there; emulated, it is slower than 32 bits."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device == "mps":
        return False
    # Older torch does not report it; then 32 bits are the safe choice.
    capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
