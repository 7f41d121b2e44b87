"""The study on disk: which trials there were, what came of them, and that it is still the same search."""

import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from facedistill.errors import FacedistillError, UsageError
from facedistill.recipe import Recipe
from facedistill.search.standard import Standard
from facedistill.training.run_folder import flatten, open_run_folder

STUDY = "study.db"
TRIALS = "trials"

_NAME = "search"
_RECIPE, _STANDARD, _TEST = "recipe", "standard", "test"
_IMMATERIAL = ("out", "workers")
_UNPRUNED = 4  # trials that are trained to their end, so that a median means something


class Study:
    """A search that can be gone on with: an optuna study in an SQLite file in the search's folder.

    The sampler is made anew for each trial, from the recipe's seed and the trial's number; so the next trial follows
    from what the file holds, whether or not the search was stopped in between.

    Args:
        folder: The search's folder.
        recipe: The recipe, with its section `search`.
        standard: What is searched for.

    Raises:
        UsageError: The folder holds the search of another recipe or standard, or something else.
        FacedistillError: The study file is damaged.
    """

    def __init__(self, folder: Path, recipe: Recipe, standard: Standard) -> None:
        self._folder, self._seed = folder, recipe.seed
        settings = {name: value for name, value in recipe.plain().items() if name not in _IMMATERIAL}
        if not (folder / STUDY).exists():
            open_run_folder(recipe)
        before = self._open(settings, standard)
        if (before[_RECIPE], before[_STANDARD]) != (settings, str(standard)) and self._is_untried():
            self._remove()  # a first attempt that failed does not stand in the way of the corrected recipe
            open_run_folder(recipe)
            before = self._open(settings, standard)
        _refuse_other(folder, before[_RECIPE], settings)
        if before[_STANDARD] != str(standard):
            raise UsageError(
                f"{folder} holds a search for {before[_STANDARD]!r}, and --until is now {str(standard)!r}; "
                "give another --out, or go on with the standard of before"
            )

    def _open(self, settings: Mapping[str, Any], standard: Standard) -> Mapping[str, Any]:
        """Opens or makes the study; returns what it records of its recipe and standard."""
        path = self._folder / STUDY
        with _readable(path):
            url = URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)
            self.optuna = optuna.create_study(
                storage=optuna.storages.RDBStorage(url),
                study_name=_NAME,
                load_if_exists=True,
                direction="minimize",
                pruner=optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED),
            )
            if _STANDARD not in self.optuna.user_attrs:
                self.optuna.set_user_attr(_RECIPE, settings)
                self.optuna.set_user_attr(_STANDARD, str(standard))
            return dict(self.optuna.user_attrs)

    def _is_untried(self) -> bool:
        """Whether no trial has come to anything."""
        return not self.finished and next(self._folder.rglob("*.pt"), None) is None

    def _remove(self) -> None:
        try:
            (self._folder / STUDY).unlink()
            shutil.rmtree(self._folder / TRIALS, ignore_errors=True)
        except OSError as error:
            raise FacedistillError(f"cannot begin anew in {self._folder}: {error.strerror}") from error

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials so far, an interrupted one included."""
        return self.optuna.get_trials(deepcopy=False)

    @property
    def finished(self) -> list[FrozenTrial]:
        """Those that are not to be gone on with."""
        return [trial for trial in self.trials if trial.state.is_finished()]

    @property
    def test(self) -> dict[str, Any] | None:
        """The winner's test figures; None while the test set is untouched."""
        return self.optuna.user_attrs.get(_TEST)

    def record_test(self, figures: Mapping[str, Any]) -> None:
        """Keeps the winner's test, which closes the search."""
        self.optuna.set_user_attr(_TEST, dict(figures))

    def next_trial(self) -> Trial:
        """The interrupted trial, or a new one."""
        running = [trial for trial in self.trials if trial.state == TrialState.RUNNING]
        number = running[0].number if running else len(self.trials)
        seed = np.random.SeedSequence((self._seed, number)).generate_state(1)[0]
        self.optuna.sampler = TPESampler(seed=int(seed))
        return Trial(self.optuna, running[0]._trial_id) if running else self.optuna.ask()


def _refuse_other(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    old, new = dict(flatten(before)), dict(flatten(now))
    for name in [*new, *old]:
        if old.get(name) != new.get(name):
            raise UsageError(
                f"{folder} holds the search of another recipe: {name} was {old.get(name)!r}, now it is "
                f"{new.get(name)!r}; give another --out, delete the folder to start anew, or "
                "go on with the recipe of before"
            )


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    warnings.filterwarnings("ignore", message="The (reported|constraint) value is ignored")  # a trial gone on with
    try:
        yield
    except (SQLAlchemyError, KeyError, RuntimeError, optuna.exceptions.OptunaError) as error:
        raise FacedistillError(
            f"{path} is damaged or no study ({' '.join(str(error).split())[:120]}); delete the folder to start anew"
        ) from error
