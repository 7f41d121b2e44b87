"""From finished runs to the figures of a report: models measured on the test pictures, seeds folded to means."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from facedistill.errors import UsageError
from facedistill.evaluation.report.cards import model_card, teacher_card
from facedistill.evaluation.report.figures import CONTROL, STUDENT, TEACHER, TITLES, Model, Report, Scores, Training
from facedistill.evaluation.report.scores import PicturesTested, score
from facedistill.evaluation.report.tables import resolutions_of
from facedistill.evaluation.sweep import BOTH, Embed
from facedistill.model_file import NATIVE, ModelMetadata
from facedistill.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Net:
    """One model of a run, ready to be asked.

    Attributes:
        embed: uint8 [B, H, W, 3] -> [B, D]; None where it could not be loaded.
        digest: SHA-256 of the file or of its weights.
        metadata: What travels in a model file; None for a teacher.
        missing: Why it could not be loaded.
    """

    embed: Embed | None
    digest: str
    metadata: ModelMetadata | None = None
    missing: str = ""


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A run folder, opened.

    Attributes:
        folder: Where it lies.
        recipe: As resolved.
        summary: What `distill` measured: {"name", "test": {"set", "identities", "pictures", "note"}, "models":
            {"teacher", "student", "control"}, "settings": {"seed", "versions", ...}}; a model is {"name", "size_mb",
            "parameters", "macs", "latency_ms", "sweep"}, its sweep as `evaluation.sweep` gives it.
        nets: The same models, loaded.
        pictures: What they were tested on.
        training: A curve for each trained net, titled by its role.
        picture_rights: Who may see the pictures tested on.
    """

    folder: Path
    recipe: Recipe
    summary: Mapping[str, Any]
    nets: Mapping[str, Net]
    pictures: PicturesTested
    training: Sequence[Training]
    picture_rights: str


def gather(runs: Sequence[FinishedRun]) -> Report:
    """Measures every model of every run; runs that differ by their seed alone become one.

    Raises:
        UsageError: No run, the same run twice, or runs that were tested on different pictures.
        FacedistillError: A model gives no usable embedding.
    """
    if not runs:
        raise UsageError("a report needs at least one run folder")
    _refuse_mixed(runs)
    siblings = _by_recipe(runs)
    names = _names(siblings)
    teachers: dict[str, Model] = {}
    trained: list[Model] = []
    training: list[Training] = []
    notes: list[str] = []
    for name, group in zip(names, siblings, strict=True):
        alone = len(siblings) == 1
        trained += [
            _fold([_measured(run, role) for run in group], _title(role, name, alone))
            for role in (STUDENT, CONTROL)
            if role in group[0].summary["models"]
        ]
        first = group[0]
        if TEACHER in first.nets and (net := first.nets[TEACHER]).digest not in teachers:
            title = TITLES[TEACHER] if alone else f"teacher {first.summary['models'][TEACHER]['name']}"
            title += f" ({len(teachers) + 1})" if title in (model.title for model in teachers.values()) else ""
            teachers[net.digest] = replace(_measured(first, TEACHER), title=title, seeds=[])
            if net.missing:
                notes.append(f"The {title} could not be loaded again, so it has no curves: {net.missing}.")
        for run in group:
            seed = f", seed {run.recipe.seed}" if len(group) > 1 else ""
            training += [replace(curve, title=_title(curve.title, name, alone) + seed) for curve in run.training]
    first = runs[0]
    return Report(
        title=first.summary["name"] if len(runs) == 1 else ", ".join(dict.fromkeys(names)),
        test=dict(first.summary["test"]),
        models=[*teachers.values(), *trained],
        training=training,
        settings=[{"folder": str(run.folder), **run.summary["settings"]} for run in runs],
        notes=notes,
        picture_rights=first.picture_rights,
    )


def _refuse_mixed(runs: Sequence[FinishedRun]) -> None:
    first = runs[0]
    for run in runs[1:]:
        if not _same_pictures(run, first):
            raise UsageError(
                f"{run.folder} was tested on other pictures ({_set(run)}) than {first.folder} ({_set(first)}), so "
                "their figures cannot be compared; make a report of each"
            )
        if resolutions_of(run.summary["models"][STUDENT]["sweep"]) != resolutions_of(
            first.summary["models"][STUDENT]["sweep"]
        ):
            raise UsageError(f"{run.folder} was tested at other resolutions than {first.folder}; make a report of each")


def _same_pictures(run: FinishedRun, other: FinishedRun) -> bool:
    if run.recipe.student.input_size == other.recipe.student.input_size:
        return run.pictures.digest == other.pictures.digest
    return _set(run) == _set(other) and run.pictures.names == other.pictures.names


def _set(run: FinishedRun) -> str:
    test = run.summary["test"]
    people = "" if test["identities"] is None else f", {test['identities']} people"
    return f"{test['set']}{people}"


def _by_recipe(runs: Sequence[FinishedRun]) -> list[list[FinishedRun]]:
    """Runs whose recipes say the same but for the seed and the name, in the order given."""
    groups: dict[str, list[FinishedRun]] = {}
    for run in runs:
        group = groups.setdefault(replace(run.recipe, seed=0, name="").digest, [])
        if twin := next((other for other in group if other.recipe.seed == run.recipe.seed), None):
            raise UsageError(f"{run.folder} and {twin.folder} are runs of one recipe and one seed; give one of them")
        group.append(run)
    return list(groups.values())


def _names(siblings: Sequence[Sequence[FinishedRun]]) -> list[str]:
    """A name for each recipe, unlike any other: the recipe's own, or its first folder's."""
    own = [group[0].recipe.name for group in siblings]
    folders = [group[0].folder.name for group in siblings]
    if len(set(own)) == len(own):
        return own
    return folders if len(set(folders)) == len(folders) else [str(group[0].folder) for group in siblings]


def _title(role: str, name: str, alone: bool) -> str:
    if alone:
        return TITLES[role]
    return name if role == STUDENT else f"{name} without a teacher"


def _measured(run: FinishedRun, role: str) -> Model:
    net, measured = run.nets[role], dict(run.summary["models"][role])
    rows = [int(name) for name in resolutions_of(measured["sweep"]) if name != NATIVE]
    scores = score(net.embed, run.pictures, rows) if net.embed else {}
    if net.metadata is None:
        card = teacher_card(run.recipe, measured, net.digest)
    else:
        card = model_card(run.recipe, run.summary, role, net.metadata, net.digest)
    return Model(role, role, [run.recipe.seed], measured, scores, card)


def _fold(models: Sequence[Model], title: str) -> Model:
    """One model from several that differ by their seed: means, with standard deviations over the seeds."""
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
    """Means of curves and histograms; they share their grids, as the pairs are the same. Hard pairs: the first's."""
    first = scores[0]
    trade = {key: _mean_rows([asdict(one.trade)[key] for one in scores]) for key in ("tmr", "low", "high")}
    shares = {key: _mean_rows([asdict(one.histogram)[key] for one in scores]) for key in ("genuine", "impostor")}
    return replace(first, trade=replace(first.trade, **trade), histogram=replace(first.histogram, **shares))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def _mean_rows(rows: Sequence[Sequence[float]]) -> list[float]:
    mean: list[float] = np.mean(rows, axis=0).tolist()
    return mean
