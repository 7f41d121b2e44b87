"""Cached teacher targets, against a float64 oracle that reads like the definition."""

import numpy as np
import pytest
import torch
from tests.batches import batch_of
from torch import nn

from facedistill.backbones import build_backbone
from facedistill.heads import build_head
from facedistill.losses import CheckedLoss
from facedistill.recipe import LossTerm
from facedistill.training.targets import CachedTargets
from facedistill.training.task import Task


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.mark.parametrize("centred", [False, True])
def test_outputs_are_the_normalised_embeddings_and_their_cosines_to_the_class_centres(centred):
    rng = np.random.default_rng(0)
    embeddings = (rng.normal(size=(12, 2, 5)) + 2).astype(np.float32)
    labels = np.repeat(np.arange(3), 4)
    outputs = CachedTargets(embeddings, labels, 3, centred, scale=7.0).for_batch(batch_of([3, 8], [False, True]))

    normalised = unit(embeddings.astype(np.float64))
    if centred:
        normalised = unit(normalised - normalised.mean(axis=(0, 1)))
    expected = np.stack([normalised[3, 0], normalised[8, 1]])
    centres = unit(np.stack([normalised[labels == c].mean(axis=(0, 1)) for c in range(3)]))
    np.testing.assert_allclose(outputs.embedding.numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(outputs.logits.numpy(), 7 * expected @ centres.T, atol=1e-4)


class Watches(nn.Module):
    """A loss that keeps what the teacher gives."""

    needs = ("embedding",)

    def forward(self, student, teacher, labels):
        self.seen = teacher.embedding
        return student.embedding.sum()


@pytest.mark.parametrize(("enabled", "bits"), [pytest.param(True, 8, id="autocast"), pytest.param(False, 24, id="not")])
def test_targets_have_the_precision_of_the_students_outputs(enabled, bits):
    """Under autocast to bfloat16 they are rounded to its 8 bits, as results since the first version have been."""
    embeddings = np.random.default_rng(0).normal(size=(4, 2, 5)).astype(np.float32)
    loss = CheckedLoss(Watches(), "watches")
    task = Task(
        build_backbone("slim", 5, (32, 32), width=0.25),
        build_head("softmax", 5, 2),
        {"watches": loss},
        {"watches": LossTerm()},
    )
    task.targets = CachedTargets(embeddings, np.array([0, 0, 1, 1]), 2, False, None)
    with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
        task(batch_of([0, 2], [False, True], torch.zeros(2, 32, 32, 3, dtype=torch.uint8)))
    exact = torch.from_numpy(unit(embeddings)[[0, 2], [0, 1]])
    expected = exact.bfloat16().float() if bits == 8 else exact
    torch.testing.assert_close(loss.module.seen, expected, rtol=0, atol=0 if bits == 8 else 1e-6)
