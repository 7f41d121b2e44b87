"""The study on disk: which trials there were, what came of them, and that it is still the same search."""

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
from facedistill.training.run_folder import open_run_folder

STUDY = "study.db"

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
        path = folder / STUDY
        self._seed = recipe.seed
        settings = {name: value for name, value in recipe.plain().items() if name not in _IMMATERIAL}
        if not path.exists():
            open_run_folder(recipe)
        with _readable(path):
            self.optuna = optuna.create_study(
                storage=optuna.storages.RDBStorage(
                    URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)
                ),
                study_name=_NAME,
                load_if_exists=True,
                direction="minimize",
                pruner=optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED),
            )
            if _STANDARD not in self.optuna.user_attrs:
                self.optuna.set_user_attr(_RECIPE, settings)
                self.optuna.set_user_attr(_STANDARD, str(standard))
            before = self.optuna.user_attrs
        _refuse_other(folder, before[_RECIPE], settings)
        if before[_STANDARD] != str(standard):
            raise UsageError(
                f"{folder} holds a search for {before[_STANDARD]!r}, and --until is now {str(standard)!r}; "
                "give another --out"
            )

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


def flatten(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings by their dotted paths."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _refuse_other(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    old, new = dict(flatten(before)), dict(flatten(now))
    for name in [*new, *old]:
        if old.get(name) != new.get(name):
            raise UsageError(
                f"{folder} holds the search of another recipe: {name} was {old.get(name)!r}, now it is "
                f"{new.get(name)!r}; give another --out, or delete the folder"
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
