"""Class centres that a loss learns of the teacher while it trains, and the margin softmax against them."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

from facedistill.errors import UsageError
from facedistill.heads import add_angle
from facedistill.numerics import unit_rows


def grown(name: str, centres: Tensor, labels: Tensor, like: Tensor) -> Tensor:
    """Centres [n, D] with zero rows added up to the greatest label; a zero row is a class that was not seen yet.

    Args:
        name: The loss, for the message.
        centres: What is known so far; [0, 0] at first.
        labels: int64 [B].
        like: [B, D], for length, type and device.

    Raises:
        UsageError: The centres are of another length.
    """
    if len(centres) and centres.shape[1] != like.shape[1]:
        raise UsageError(
            f"loss {name!r}: its class centres are of length {centres.shape[1]}, the embedding of {like.shape[1]}"
        )
    larger = like.new_zeros(max(len(centres), int(labels.max()) + 1), like.shape[1])
    if len(centres):
        larger[: len(centres)] = centres
    return larger


def class_sums(rows: Tensor, labels: Tensor, classes: int) -> Tensor:
    """The sum of the rows [B, D] of each class: [classes, D]."""
    return rows.new_zeros(classes, rows.shape[1]).index_add_(0, labels, rows)


def centre_cross_entropy(
    student: Tensor, centres: Tensor, labels: Tensor, margin: Tensor | float, scale: float
) -> Tensor:
    """Cross-entropy of the scaled cosines to the centres, cos(theta + margin) for the own class (ArcFace).

    Args:
        student: [B, D].
        centres: [n, D]; classes whose row is zero take no part.
        labels: int64 [B], below n.
        margin: In radians; one, or [B, 1].
        scale: What cosines are multiplied by.
    """
    own = labels.unsqueeze(1)
    cosine = linear(unit_rows(student), unit_rows(centres))
    logits = scale * cosine.scatter(1, own, add_angle(cosine.gather(1, own), margin))
    unseen = (~centres.any(dim=1)).expand_as(logits).scatter(1, own, torch.zeros_like(own, dtype=torch.bool))
    return cross_entropy(logits.masked_fill(unseen, -torch.inf), labels)
