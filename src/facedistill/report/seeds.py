"""Models that differ by their seed alone, made one: means, with standard deviations over the seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from facedistill.evaluation.sweep import BOTH
from facedistill.report.figures import Model, Scores


def fold_seeds(models: Sequence[Model], title: str) -> Model:
    """One model from one or several, under a title of its own; hard pairs and reliability stay the first seed's."""
    first = models[0]
    if len(models) == 1:
        return replace(first, title=title)
    sweeps = [model.measured["sweep"] for model in models]
    costs = {key: _mean([model.measured[key] for model in models]) for key in ("size_mb", "latency_ms")}
    sweep = {name: _fold_cells([sweep[name] for sweep in sweeps]) for name in sweeps[0] if name != BOTH}
    sweep[BOTH] = {name: _fold_cells([sweep[BOTH][name] for sweep in sweeps]) for name in sweeps[0][BOTH]}
    digests = ", ".join(f"seed {model.seeds[0]}: {model.card.facts['file SHA-256']}" for model in models)
    return replace(
        first,
        title=title,
        seeds=[model.seeds[0] for model in models],
        measured=first.measured | costs | {"sweep": sweep},
        scores={name: _fold_scores([model.scores[name] for model in models]) for name in first.scores},
        card=replace(first.card, facts=first.card.facts | {"file SHA-256": digests}),
    )


def _fold_cells(cells: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    numbers = [key for key, value in cells[0].items() if isinstance(value, int | float)]
    shared = [key for key in cells[0]["ci"] if all(key in cell["ci"] for cell in cells)]
    return {
        **cells[0],
        **{key: _mean([cell[key] for cell in cells]) for key in numbers},
        "tar_at_far": {
            far: _mean([cell["tar_at_far"][far] for cell in cells])
            for far in cells[0]["tar_at_far"]
            if all(far in cell["tar_at_far"] for cell in cells)
        },
        "ci": {key: np.mean([cell["ci"][key] for cell in cells], axis=0).tolist() for key in shared},
        "std": {key: float(np.std([cell[key] for cell in cells], ddof=1)) for key in numbers},
    }


def _fold_scores(scores: Sequence[Scores]) -> Scores:
    """Means of curves and histograms; they share their grids, as the pairs are the same."""
    first = scores[0]
    trade, shares = (
        {key: np.mean([getattr(getattr(one, part), key) for one in scores], axis=0).tolist() for key in keys}
        for part, keys in (("trade", ("tmr", "low", "high")), ("histogram", ("genuine", "impostor")))
    )
    return replace(first, trade=replace(first.trade, **trade), histogram=replace(first.histogram, **shares))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None
