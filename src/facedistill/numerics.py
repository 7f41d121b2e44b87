"""What losses and heads share so that they stay exact under mixed precision."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

# Below this length a row has no direction worth scaling up: it is divided by the
# floor instead, so the gradient of a (nearly) zero row is bounded by 1 / floor.
_SHORTEST_ROW = 1e-6


def at_least_float32(tensor: Tensor) -> Tensor:
    """The tensor in float32, or unchanged if it is float64 already."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def unit_rows(rows: Tensor) -> Tensor:
    """Rows [N, D] scaled to unit length; a zero row stays zero, with a finite gradient."""
    return normalize(rows, dim=1, eps=_SHORTEST_ROW)
