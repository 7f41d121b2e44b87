"""What losses and heads share so that they stay exact under mixed precision."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

# Below this length a row has no direction worth scaling up: it is divided by the
# floor instead, so the gradient of a (nearly) zero row is bounded by 1 / floor.
_SHORTEST_ROW = 1e-6
_LEAST_SCALE = 1e-12


def at_least_float32(tensor: Tensor) -> Tensor:
    """The tensor in float32, or unchanged if it is float64 already."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def unit_rows(rows: Tensor) -> Tensor:
    """Rows [N, D] scaled to unit length; a zero row stays zero, with a finite gradient."""
    return normalize(rows, dim=1, eps=_SHORTEST_ROW)


def squared_distances(rows: Tensor) -> Tensor:
    """||a - b||^2 for all pairs of rows, [N, D] -> [N, N], by one matrix product.

    The rows are centred first, which changes no distance: |a|^2 + |b|^2 - 2ab cancels badly
    when the rows lie close together but far from the origin.
    """
    centred = rows - rows.detach().mean(dim=0)
    lengths = centred.square().sum(dim=1)
    return (lengths[:, None] + lengths[None, :] - 2 * centred @ centred.T).clamp_min(0)


def off_diagonal(square: Tensor) -> Tensor:
    """[N, N] without its diagonal: [N, N - 1], each row in order."""
    size = len(square)
    return square.flatten()[1:].view(size - 1, size + 1)[:, :-1].reshape(size, size - 1) if size > 1 else square[:, :0]


def to_unit_scale(rows: Tensor) -> Tensor:
    """Rows [N, D] all divided by one constant, the root of their mean squared length; no gradient through it."""
    return rows / rows.detach().square().sum(dim=1).mean().sqrt().clamp_min(_LEAST_SCALE)


def directions(rows: Tensor) -> Tensor:
    """Unit rows of what is small by nature, such as squares of activations: exact down to entries of 1e-12.

    Not for rows that the net gives itself: near zero the gradient is a million times that of `unit_rows`.
    """
    return unit_rows(rows / rows.detach().abs().amax(dim=1, keepdim=True).clamp_min(_LEAST_SCALE))
