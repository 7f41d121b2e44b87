"""Embedding crops with a backbone, as one who only uses it does: no gradients, 32 bits, any number of faces."""

import numpy as np
import torch
from numpy.typing import NDArray

from facedistill.backbones.base import Backbone, normalise_crops
from facedistill.checks import check_count


def embed_crops(backbone: Backbone, crops: NDArray[np.uint8], batch: int | None = None) -> NDArray[np.float32]:
    """Embeddings of aligned faces; the backbone's training or evaluation mode is left as it was.

    Args:
        backbone: The net, on any device.
        crops: uint8 [B, H, W, 3] RGB of the net's input size; B may be 0.
        batch: Most crops at once; None takes 64 on the CPU and 512 elsewhere.

    Returns:
        float32 [B, D], not normalised.
    """
    device = next(backbone.parameters()).device
    batch = check_count("batch", batch) if batch is not None else (64 if device.type == "cpu" else 512)
    embeddings = np.empty((len(crops), backbone.embedding_size), dtype=np.float32)
    training = backbone.training
    backbone.eval()
    try:
        with torch.inference_mode():
            for start in range(0, len(crops), batch):
                part = torch.from_numpy(np.ascontiguousarray(crops[start : start + batch])).to(device)
                pixels = normalise_crops(part).contiguous(memory_format=torch.channels_last)
                embeddings[start : start + len(part)] = backbone(pixels).embedding.float().cpu().numpy()
    finally:
        backbone.train(training)
    return embeddings
