"""Teachers whose nets run in torch, on any device. Loads torch."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facedistill.backbones import Backbone, normalise_crops
from facedistill.devices import computes_bf16
from facedistill.errors import FacedistillError
from facedistill.teachers.teacher import DEFAULT_BATCH, BatchedTeacher

_DEVICE_BATCH = 512


class TorchTeacher(BatchedTeacher):
    """A net in torch as a teacher.

    On an accelerator it computes in bf16 where that is native; its embeddings then differ from those on the CPU by
    rounding, and a cache of the one serves the other: dlib's in bf16 have a cosine of at least .9999 to those in 32
    bits, and of .9996 when both are centred (24 rendered faces, bf16 emulated on a CPU).

    Args:
        backbone: The net.
        device: Where it runs; anything that `torch.device` takes.
        described: The other arguments of `BatchedTeacher`.
    """

    def __init__(self, backbone: Backbone, device: str, **described: Any) -> None:
        self.device = torch.device(device)
        on_cpu = self.device.type == "cpu"
        super().__init__(batch=DEFAULT_BATCH if on_cpu else _DEVICE_BATCH, **described)
        self._half = not on_cpu and computes_bf16(self.device.type)
        net = backbone.eval().requires_grad_(requires_grad=False)
        self.backbone: Backbone = net.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.no_grad()
    def embed_tensor(self, crops: Tensor) -> Tensor:
        """Embeds crops that lie on the device; nothing leaves it.

        Args:
            crops: uint8 [B, H, W, 3] RGB of the teacher's own size, on its device.

        Returns:
            float32 [B, D], not normalised.
        """
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._half):
            parts = [self._embedded(part) for part in torch.split(crops, self._batch)]
        return torch.cat(parts)

    def _embedded(self, crops: Tensor) -> Tensor:
        pixels = normalise_crops(crops).contiguous(memory_format=torch.channels_last)
        return self.backbone(pixels).embedding.float()

    def _run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            embeddings: NDArray[np.float32] = self.embed_tensor(torch.from_numpy(crops).to(self.device)).cpu().numpy()
        except torch.OutOfMemoryError as error:
            raise FacedistillError(
                f"teacher {self.name}: {self.device} is out of memory with {len(crops)} crops at once; "
                "end what else runs there, or set device: cpu"
            ) from error
        return embeddings
