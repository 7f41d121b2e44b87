"""Try, train, validate, and go back to the recipe, until the standard is met or the budget is spent."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import Trial, TrialState

from facedistill.backbones import embed_crops
from facedistill.checks import check_count, check_number
from facedistill.errors import UsageError
from facedistill.files import sole_writer
from facedistill.model_file import NATIVE
from facedistill.recipe import Recipe
from facedistill.recipe.files import read_recipe
from facedistill.recipe.validate import validate
from facedistill.search.cost import untrained_costs
from facedistill.search.page import write_page
from facedistill.search.report import (
    BEHIND,
    COSTLY,
    DIVERGED,
    IMPOSSIBLE,
    TRAINED,
    Outcome,
    Report,
    describe_values,
    write_report,
)
from facedistill.search.space import check_space, draw, recipe_with
from facedistill.search.standard import Standard, check_people, parse_standard
from facedistill.search.study import TRIALS, Study
from facedistill.search.workload import SearchableWorkload, open_workload
from facedistill.training import LAST, DivergedRunError, train
from facedistill.training.build import build_task
from facedistill.training.log import METRICS, read_lines
from facedistill.training.loop import Embed, Validate
from facedistill.training.run_folder import RECIPE, versions
from facedistill.training.task import Task

MODEL = "student.onnx"
TEACHER = "teacher"

_EXPORTED, _SIZES = "exported", "sizes"  # of the study


def search(
    recipe: Recipe,
    until: str,
    trials: int,
    minutes: float | None = None,
    test: bool = False,
    log: Callable[[str], None] = lambda _line: None,
) -> Report:
    """Tries recipes until a net meets the standard, evaluated on the validation pictures alone.

    A trial whose untrained net already misses a bound on cost is not trained; one that falls behind the median of the
    others at the same step is stopped. Everything is kept in the recipe's folder: the same call goes on where it
    stopped, with the trial that was under way.

    Args:
        recipe: Its section `search` says what may be tried.
        until: The standard, see `parse_standard`.
        trials: Most trials; those of former calls and those that were not trained count.
        minutes: After so many no new trial is begun.
        test: Test the winner on the recipe's test set. That is done once; afterwards the search is closed.
        log: Called with a line about each trial.

    Returns:
        What was found; it also stands in `search.json` and `search.html`, with the best net's model file beside them.

    Raises:
        UsageError: The recipe, the standard or the budget cannot work; or the folder holds another search,
            or one that another process is at.
        InterruptedRunError: Ctrl-C; the same call goes on.
        FacedistillError: See `fit`.
    """
    standard = parse_standard(until)
    _check(recipe, standard, trials, minutes)
    with sole_writer(recipe.folder):
        return _Search(recipe, standard, log).run(trials, minutes, test)


def _check(recipe: Recipe, standard: Standard, trials: int, minutes: float | None) -> None:
    """Refuses all that can be refused before anything is loaded."""
    check_count("trials", trials)
    if minutes is not None:
        check_number("minutes", minutes, above=0)
    validate(replace(recipe, control=False))
    check_space(recipe)
    classes = recipe.classification
    if classes is None and not recipe.data.validation_identities:
        raise UsageError("recipe: data.validation_identities is 0, so there is nobody to evaluate the trials on")
    check_people(standard, [Path(recipe.data.faces if classes is None else classes.pictures).name])
    for bound in standard.figures:
        if classes is not None and (bound.resolution, bound.metric) != (NATIVE, "accuracy"):
            raise UsageError(
                f"the standard's part {str(bound)!r}: a classifier is evaluated by {bound.people}@native.accuracy alone"
            )


class _BehindError(Exception):
    """The trial falls behind the others."""


class _Search:
    """One call of `search`: the study, and the workload once it is needed."""

    def __init__(self, recipe: Recipe, standard: Standard, log: Callable[[str], None]) -> None:
        self.recipe = recipe
        self.standard = standard
        self.log = log
        self.folder = recipe.folder
        self.study = Study(self.folder, recipe, standard)

    @cached_property
    def workload(self) -> SearchableWorkload:
        """Opened once for all trials, and not at all when nothing is left to do.

        An untrained net is measured, so that a figure that these pictures cannot show is refused before training.
        """
        workload = open_workload(self.recipe, self.folder / TEACHER)
        recipe, pictures = workload.resolved(replace(self.recipe, control=False)), workload.pictures
        task = build_task(recipe, pictures.classes, pictures)
        self._validator(workload, task)(lambda crops: embed_crops(task.backbone, crops))
        return workload

    def run(self, trials: int, minutes: float | None, test: bool) -> Report:
        """See `search`."""
        deadline = time.monotonic() + (float("inf") if minutes is None else 60 * minutes)
        while not self.report().met and len(self.study.finished) < trials and time.monotonic() < deadline:
            if self.study.test is not None:
                raise UsageError(f"{self.folder} was tested, which closes its search; give another --out to go on")
            self._try_one(self.workload)
            if self.report().met:
                self._export_winner()  # which is the last thing that it could fail at
            self._write()
        winner = self._export_winner()
        if winner is not None and test and self.study.test is None:
            figures = self.workload.test(self._finished_recipe(winner.number), self.folder / MODEL)
            self.study.record_test({"trial": winner.number, "figures": figures})
        report = self._write()
        write_page(self.folder, report, self._origin())
        return report

    def _export_winner(self) -> Outcome | None:
        """Writes the winner's model file, unless it is there; a trial's own file also has its true size."""
        attributes = self.study.optuna.user_attrs
        winner = self.report().winner
        if winner is not None and (attributes.get(_EXPORTED) != winner.number or not (self.folder / MODEL).exists()):
            self.workload.write_best(self._finished_recipe(winner.number), self.folder / MODEL)
            size = (self.folder / MODEL).stat().st_size / 1e6
            self.study.optuna.set_user_attr(_SIZES, {**attributes.get(_SIZES, {}), str(winner.number): size})
            self.study.optuna.set_user_attr(_EXPORTED, winner.number)
        return winner

    def report(self) -> Report:
        """What the study holds."""
        sizes = self.study.optuna.user_attrs.get(_SIZES, {})
        outcomes = (
            Outcome(
                number=trial.number,
                values=dict(trial.params),
                file_mb=sizes.get(str(trial.number)),
                **({"costs": {}, "figures": {}, "why": ""} | trial.user_attrs),
            )
            for trial in self.study.finished
        )
        return Report(self.standard, tuple(outcomes), self.study.test)

    def _write(self) -> Report:
        report = self.report()
        write_report(self.folder, report, self._origin())
        return report

    def _origin(self) -> dict[str, Any]:
        return {
            "recipe_digest": self.recipe.digest,
            "seed": self.recipe.seed,
            "sampler": "TPE, seeded by the recipe's seed and the trial's number",
            "pruner": "median",
            "versions": {**versions(), "optuna": optuna.__version__},
        }

    def _try_one(self, workload: SearchableWorkload) -> None:
        """Tries one recipe and reports the outcome to the study."""
        trial = self.study.next_trial()
        values = draw(trial, self.recipe)
        self.log(f"trial {trial.number}: {describe_values(values)}")
        folder = self._folder(trial.number)
        try:
            run = replace(
                workload.resolved(recipe_with(self.recipe, values)),
                name=f"{self.recipe.name}-{folder.name}",
                out=str(folder),
            )
            validate(run)
        except UsageError as error:  # values that work alone but not together
            self._end(trial, IMPOSSIBLE, TrialState.FAIL, why=str(error))
            return
        task = build_task(run, workload.pictures.classes, workload.pictures)
        costs = untrained_costs(task, workload.write_untrained, self.folder)
        trial.set_user_attr("costs", dict(costs))  # as the other attributes of a trial, a field of `Outcome`
        for bound in self.standard.costs:
            trial.set_constraint(bound.target, costs[bound.target] / bound.value - 1 if bound.value else 1.0)
        if missed := [bound for bound in self.standard.costs if bound.missed_by(costs[bound.target])]:
            why = ", ".join(f"{bound.target} is {costs[bound.target]:.4g} ({bound})" for bound in missed)
            self._end(trial, COSTLY, TrialState.PRUNED, why=why)
            return
        self._train(trial, workload, run, task)
        (folder / LAST).unlink(missing_ok=True)  # nothing goes on from there

    def _train(self, trial: Trial, workload: SearchableWorkload, run: Recipe, task: Task) -> None:
        def objective(step: int, figures: Mapping[str, float]) -> float:
            shortfall = self.standard.shortfall(figures)
            trial.report(shortfall, step)
            if step < run.steps and trial.should_prune():
                raise _BehindError(f"at step {step} of {run.steps} behind the median of the others")
            return shortfall

        try:
            result = train(workload, run, task, self._validator(workload, task), objective)
        except _BehindError as behind:
            self._end(trial, BEHIND, TrialState.PRUNED, _validations(run.folder)[-1], str(behind))
        except DivergedRunError as diverged:
            self._end(trial, DIVERGED, TrialState.FAIL, why=str(diverged))
        else:
            (best,) = (line for line in _validations(run.folder) if line["step"] == result.best_step)
            self._end(trial, TRAINED, TrialState.COMPLETE, best)

    def _end(
        self, trial: Trial, outcome: str, state: TrialState, measured: Mapping[str, Any] | None = None, why: str = ""
    ) -> None:
        """Records the outcome first: a trial whose state is reported is never touched again."""
        figures = {bound.target: measured[bound.target] for bound in self.standard.figures} if measured else {}
        for name, value in (("outcome", outcome), ("figures", figures), ("why", why)):
            trial.set_user_attr(name, value)
        shortfall = self.standard.shortfall(figures) if state == TrialState.COMPLETE else None
        self.study.optuna.tell(trial, shortfall, state)
        values = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self.log(f"trial {trial.number}: " + "; ".join(part for part in (outcome, values, why) if part))

    def _validator(self, workload: SearchableWorkload, task: Task) -> Validate:
        """The standard's figures of a net."""
        rows = sorted({bound.rows for bound in self.standard.figures if bound.rows is not None})

        def measure(embed: Embed) -> Mapping[str, float]:
            cells = workload.cells(task, embed, rows)
            return {bound.target: bound.figure(cells) for bound in self.standard.figures}

        return measure

    def _folder(self, number: int) -> Path:
        return self.folder / TRIALS / f"{number:04d}"

    def _finished_recipe(self, number: int) -> Recipe:
        folder = self._folder(number)
        return replace(read_recipe(folder / RECIPE), out=str(folder))


def _validations(folder: Path) -> list[dict[str, Any]]:
    return [line for line in read_lines(folder / METRICS) if line["kind"] == "validation"]
