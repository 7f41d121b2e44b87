"""Batches made by hand, and runs of the loop on cached targets that are drawn at random."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facedistill.recipe import Recipe
from facedistill.recipe.parts import build_variances
from facedistill.training import FitResult, fit
from facedistill.training.build import build_task
from facedistill.training.data import AugmentedFaces, Batch
from facedistill.training.log import TIMING, read_lines
from facedistill.training.targets import CachedTargets
from facedistill.training.task import Task


def batch_of(indices: Sequence[int], mirrored: Sequence[bool], crops: Tensor | None = None) -> Batch:
    """A batch of which nothing but places in the set, and perhaps crops, matters."""
    return Batch(
        crops=torch.zeros(len(indices), 1, 1, 3, dtype=torch.uint8) if crops is None else crops,
        labels=torch.zeros(len(indices), dtype=torch.int64),
        indices=torch.tensor(indices),
        mirrored=torch.tensor(mirrored),
        keys=tuple(map(str, indices)),
    )


def random_targets(faces: Any, size: int) -> CachedTargets:
    """Targets of a teacher whose embeddings are drawn at random."""
    embeddings = np.random.default_rng(0).normal(size=(len(faces), 2, size)).astype(np.float32)
    return CachedTargets(embeddings, faces.labels, faces.classes, centred=True, scale=30.0)


def run_loop(
    folder: Path,
    faces: Any,
    recipe: Recipe,
    validate: Any = None,
    augmented: type[AugmentedFaces] = AugmentedFaces,
    made: Callable[[Task], Task] = lambda task: task,
    size: int = 8,
) -> FitResult:
    """Runs the loop in a folder; `augmented` may be a class that disturbs it, `made` changes the task first."""
    folder.mkdir(exist_ok=True)
    task = made(build_task(recipe, faces.classes))
    task.targets = random_targets(faces, size) if recipe.distils else None
    views = augmented(faces, build_variances(recipe), recipe.data.mirror, recipe.seed)
    return fit(task, views, recipe, folder, validate)


def figures(folder: Path) -> list[dict[str, Any]]:
    """The records of a run without durations and rates."""
    return [{k: v for k, v in line.items() if k != TIMING} for line in read_lines(folder / "metrics.jsonl")]
