"""Cached teacher targets, against a float64 oracle that reads like the definition."""

import numpy as np
import pytest
from tests.batches import batch_of

from facedistill.training.targets import CachedTargets


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
