"""From finished runs to the figures of a report: models measured on the test pictures, seeds folded to means."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.embedding import Embed
from facedistill.evaluation.metrics import Float, eer
from facedistill.evaluation.sweep import BOTH
from facedistill.evaluation.uncertainty import compare
from facedistill.model_file import NATIVE, ModelMetadata
from facedistill.recipe import Recipe
from facedistill.report.cards import model_card, teacher_card
from facedistill.report.figures import STUDENT, TEACHER, TITLES, Model, Paired, Report, Scores, Training
from facedistill.report.scores import TestImages, compare_groups, similarities, summarise
from facedistill.report.seeds import fold_seeds
from facedistill.report.tables import key_resolution, resolution_title, resolutions_of

EMBEDDINGS = "embeddings"  # in a run folder

_EER_NOISE = 0.005  # another machine rounds otherwise
_WORK = 10_000_000  # pairs looked at for one paired test
_LEAST_DRAWS, _MOST_DRAWS = 80, 1000

ScoresAt = Callable[[str], Float]
"""Resolution -> a model's similarities, computed when wanted: those of ten runs do not fit into memory."""


@dataclass(frozen=True, eq=False)
class Net:
    """One model of a run, ready to embed.

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
    pictures: TestImages
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
    alone = len(siblings) == 1
    scored: list[tuple[Model, ScoresAt | None]] = []
    training: list[Training] = []
    notes: list[str] = []
    for name, group in zip(names, siblings, strict=True):
        for role in group[0].nets:
            if role == TEACHER:
                continue
            measured = [_measure(run, role) for run in group]
            scored.append((fold_seeds([model for model, _ in measured], _title(role, name, alone)), measured[0][1]))
        for run in group:
            seed = f", seed {run.recipe.seed}" if len(group) > 1 else ""
            training += [replace(curve, title=_title(curve.title, name, alone) + seed) for curve in run.training]
    teachers: dict[str, tuple[Model, ScoresAt | None]] = {}
    for run in (group[0] for group in siblings):
        if TEACHER in run.nets and (net := run.nets[TEACHER]).digest not in teachers:
            title = TITLES[TEACHER] if alone else f"teacher {run.summary['models'][TEACHER]['name']}"
            title += f" ({len(teachers) + 1})" if title in (model.title for model, _ in teachers.values()) else ""
            model, at = _measure(run, TEACHER)
            teachers[net.digest] = replace(model, title=title, seeds=[]), at
            if net.missing:
                notes.append(f"The {title} could not be loaded again, so it has no curves: {net.missing}.")
    first = runs[0]
    scored = [*teachers.values(), *scored]
    return Report(
        title=first.summary["name"] if len(runs) == 1 else ", ".join(dict.fromkeys(names)),
        test=dict(first.summary["test"]),
        models=[model for model, _ in scored],
        comparisons=_comparisons(scored, first.pictures),
        training=training,
        settings=[{"folder": str(run.folder), **run.summary["settings"]} for run in runs],
        notes=notes,
        picture_rights=first.picture_rights,
    )


def best_student(models: Sequence[Model], resolution: str) -> Model:
    """The student of the highest accuracy at a resolution, matched."""
    students = [model for model in models if model.role == STUDENT]
    return max(students, key=lambda model: float(model.measured["sweep"][BOTH][resolution]["accuracy"]))


def _refuse_mixed(runs: Sequence[FinishedRun]) -> None:
    first = runs[0]
    for run in runs[1:]:
        if not _same_pictures(run, first):
            raise UsageError(
                f"{run.folder} was tested on other pictures ({_set(run)}) than {first.folder} ({_set(first)}), so "
                "their figures cannot be compared; make a report of each"
            )
        swept, expected = (resolutions_of(one.summary["models"][STUDENT]["sweep"]) for one in (run, first))
        if swept != expected:
            raise UsageError(f"{run.folder} was tested at other resolutions than {first.folder}; make a report of each")


def _same_pictures(run: FinishedRun, other: FinishedRun) -> bool:
    if run.recipe.student.input_size == other.recipe.student.input_size:
        return run.pictures.content == other.pictures.content
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


def _measure(run: FinishedRun, role: str) -> tuple[Model, ScoresAt | None]:
    net, measured = run.nets[role], dict(run.summary["models"][role])
    at = None if net.embed is None else partial(_scores_at, net.embed, net.digest, run)
    if net.metadata is None:
        card = teacher_card(run.recipe, measured, net.digest)
    else:
        card = model_card(run.recipe, run.summary, role, net.metadata, net.digest)
    probability = net.metadata.probability if net.metadata else {}
    summary: dict[str, Scores] = {}
    groups: dict[str, dict[str, Any]] = {}
    wanted = dict.fromkeys((key_resolution(measured["sweep"]), NATIVE)) if run.pictures.attributes else {}
    for name in resolutions_of(measured["sweep"]):
        if at is None:
            break
        scores = at(name)
        _check_unchanged(run, role, name, scores)
        summary |= summarise({name: scores}, run.pictures, probability)
        if name in wanted:
            groups[name] = compare_groups(scores, run.pictures)
    groups = {name: groups[name] for name in wanted if name in groups}
    return Model(role, role, [run.recipe.seed], measured, summary, groups, card), at


def _scores_at(embed: Embed, digest: str, run: FinishedRun, name: str) -> Float:
    return similarities(embed, digest, run.pictures, [name], run.folder / EMBEDDINGS)[name]


def _check_unchanged(run: FinishedRun, role: str, name: str, scores: Float) -> None:
    """Refuses to draw curves beside a table of other pictures, or of another teacher."""
    same = run.pictures.trial.same
    now, then = eer(scores, same), run.summary["models"][role]["sweep"][BOTH][name]["eer"]
    if abs(now - then) > max(_EER_NOISE, 2 / np.count_nonzero(same)):
        raise FacedistillError(
            f"{run.folder}: the {role}'s equal error rate at {resolution_title(name)} is {100 * now:.1f} %, but "
            f"{100 * then:.1f} % in the run; the test set or the teacher has changed since: make the run anew"
        )


def _comparisons(scored: Sequence[tuple[Model, ScoresAt | None]], pictures: TestImages) -> list[Paired]:
    """The best student against each other model, natively and at the resolution of the headline."""
    models = [model for model, _ in scored]
    key = key_resolution(models[0].measured["sweep"])
    best = best_student(models, key)
    ours_at = next(at for model, at in scored if model is best)
    found: list[Paired] = []
    if ours_at is None:
        return found
    trial = pictures.trial
    draws = int(np.clip(_WORK // len(trial.same), _LEAST_DRAWS, _MOST_DRAWS))
    for name in dict.fromkeys((key, NATIVE)):
        ours = ours_at(name)
        for model, at in scored:
            if model is best or at is None:
                continue
            comparison = compare(ours, at(name), trial.same, pictures.sides, "accuracy", draws)
            a, b = _one_seed(best), _one_seed(model)
            found.append(Paired(name, a, b, comparison.sentence(a, b), comparison))
    return found


def _one_seed(model: Model) -> str:
    return f"{model.title} (seed {model.seeds[0]})" if len(model.seeds) > 1 else model.title
