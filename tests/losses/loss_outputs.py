"""Outputs drawn at random for the losses' tests."""

import numpy as np
import torch

from facedistill.losses import LOSSES, build_loss
from facedistill.outputs import Outputs

NAMES = sorted(LOSSES)
BATCH, SIZE, CLASSES = 6, 5, 4
LABELS = torch.tensor([0, 1, 2, 3, 0, 1])
SHAPES = ((3, 4, 2), (4, 2, 3))
# Not 0 where the student equals the teacher: a regressor starts at random, a cross-entropy has no 0.
NO_ZERO = {"fitnets", "margin", "adadistill", "infonce", "seed"}
# Blind to some change of the student towards the teacher: EKD is a count of thresholds passed, with tiny steps.
NOT_NEARER = {"fitnets", "margin", "adadistill", "ekd"}


def needs(name, **options):
    return build_loss(name, **options).needs[0]


def outputs(seed, dtype=torch.float64, **changes):
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape):
        return torch.randn(BATCH, *shape, dtype=torch.float64, generator=generator).to(dtype).requires_grad_()

    embedding, logits = drawn(SIZE), drawn(CLASSES)
    logits = (3 * logits.detach()).requires_grad_()
    fields = {"embedding": embedding, "logits": logits, "features": tuple(drawn(*shape) for shape in SHAPES)}
    return Outputs(**{**fields, **changes})


def tensors(field, value):
    """The field's tensors: one, or one for each stage."""
    found = getattr(value, field)
    return list(found) if field == "features" else [found]


def with_tensors(field, given_tensors):
    """Outputs of nothing but that field (and some embedding)."""
    if field == "features":
        return Outputs(torch.zeros(len(given_tensors[0]), 1), None, tuple(given_tensors))
    if field == "logits":
        return Outputs(torch.zeros(len(given_tensors[0]), 1), given_tensors[0])
    return Outputs(given_tensors[0])


def arrays(field, value):
    found = [tensor.detach().numpy().astype(np.float64) for tensor in tensors(field, value)]
    return found if field == "features" else found[0]
