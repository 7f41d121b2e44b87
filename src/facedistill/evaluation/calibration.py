"""Thresholds for the model file: at which similarity a wrong match is how rare, at each resolution."""

from collections.abc import Sequence

import numpy as np

from facedistill.datasets import FaceSet
from facedistill.evaluation.metrics import FARS, Ranking, supported
from facedistill.evaluation.sweep import RESOLUTIONS, Embed, embed_at, read_faces
from facedistill.evaluation.trials import picture_pairs
from facedistill.model_file import NATIVE

_NAMES = dict(zip(FARS, ("1e-1", "1e-2", "1e-3", "1e-4"), strict=True))


def calibrate_thresholds(
    embed: Embed, faces: FaceSet, resolutions: Sequence[int] = RESOLUTIONS
) -> dict[str, dict[str, float]]:
    """The least similarity at which at most a share FMR of the set's impostor pairs matches.

    The probe is degraded, the gallery native, as in use: a poor camera picture against a good enrolment.

    Args:
        embed: uint8 [B, H, W, 3] -> [B, D].
        faces: Aligned crops; the people must not be those the net was trained on.
        resolutions: Rows of the degraded probe.

    Returns:
        {"native": {"1e-1": threshold, ...}, "30": {...}, ...}: what `ModelMetadata.thresholds` holds. An FMR below
        one impostor pair's share does not appear.

    Raises:
        UsageError, FacedistillError: As for `sweep`.
    """
    images, people = read_faces(faces)
    embeddings = embed_at(embed, images, resolutions)
    thresholds = {}
    for name, probes in embeddings.items():
        left, right, same = picture_pairs(people, ordered=name != NATIVE)
        curve = Ranking(np.clip(probes @ embeddings[NATIVE].T, -1.0, 1.0)[left, right], same).curve()
        thresholds[name] = {_NAMES[fmr]: curve.threshold_at(fmr) for fmr in supported(FARS, same)}
    return thresholds
