"""What every run folder holds beside its results: the resolved recipe and where it was run."""

import platform
import shlex
import shutil
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from facedistill.errors import FacedistillError, UsageError
from facedistill.files import remove_unfinished, write_text
from facedistill.processes import first_process_first, process_rank
from facedistill.progress import notify
from facedistill.recipe import Recipe
from facedistill.yaml_text import read_yaml

RECIPE = "recipe.yaml"
ENVIRONMENT = "environment.yaml"
TRAINED_ON = "trained_on.npy"  # hashes of the pictures trained on, see `datasets.picture_hashes`
_METRICS, _BOARD, _SUMMARY = "metrics.jsonl", "tensorboard", "summary.json"
_IMMATERIAL = ("out", "workers", "minutes", "device")
_SHOWN = 3  # differences in a message
_REPORTED = ("facedistill", "torch", "lightning-fabric", "onnxruntime", "opencv-python-headless", "numpy")


@first_process_first()
def open_run_folder(recipe: Recipe) -> Path:
    """Makes the run folder, or goes on in it when it holds the same recipe; the first of several processes makes it.

    A folder in which another recipe was begun and nothing was trained yet is taken for this one: a first attempt that
    failed does not stand in the way of the corrected recipe. The teacher's embeddings in it stay.

    Raises:
        UsageError: The folder holds another recipe's run, or something that is no run.
    """
    folder = recipe.folder
    record = folder / RECIPE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_unfinished(folder)
        if not record.exists():
            if any(path.name != ENVIRONMENT for path in folder.iterdir()):
                raise UsageError(f"{folder} is not empty and holds no run; give another --out")
        elif recorded_digest(record) == recipe.digest:
            _write_environment(folder, recipe)
            return folder
        else:
            _begin_anew(folder, recipe)
    except OSError as error:
        raise FacedistillError(f"cannot make the run folder {folder}: {error.strerror or error}") from error
    _write_recipe(record, recipe)  # first of all: it is what makes a folder a run, which the same call goes on with
    _write_environment(folder, recipe)
    return folder


def _begin_anew(folder: Path, recipe: Recipe) -> None:
    """Clears a run of another recipe of which nothing was trained; refuses any other."""
    differences, verb = _compared(folder / RECIPE, recipe)
    if next(folder.rglob("*.pt"), None) or (folder / _SUMMARY).exists():
        raise UsageError(
            f"{folder} holds the run of another recipe{differences}; go on with that by `facedistill {verb} --resume "
            f"{shlex.quote(str(folder))}`, or start anew: give another --out, or delete the folder"
        )
    notify(f"{folder} was begun with another recipe{differences}, of which nothing was trained; it is begun anew")
    for name in (ENVIRONMENT, TRAINED_ON, _METRICS):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / _BOARD, ignore_errors=True)


def _compared(record: Path, recipe: Recipe) -> tuple[str, str]:
    """In what a recorded recipe differs, in brackets, and the command that goes on with it."""
    try:
        old = dict(flatten(read_yaml(record)))
    except (UsageError, ValueError, AttributeError):
        return "", "distill"
    new = dict(flatten(recipe.plain()))
    names = [name for name in {**new, **old} if old.get(name) != new.get(name) and name not in _IMMATERIAL]
    shown = [f"{name} {_value(old, name)} instead of {_value(new, name)}" for name in names[:_SHOWN]]
    more = [f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    distils = any(name.startswith("losses.") and not name.startswith("losses.hard.") for name in old)
    return f" ({', '.join(shown + more)})" if shown else "", "distill" if distils else "train"


def _value(values: Mapping[str, Any], name: str) -> str:
    return textwrap.shorten(str(values.get(name, "absent")), 60)


def flatten(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings by their dotted paths."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def environment(recipe: Recipe) -> dict[str, Any]:
    """What a reader needs to repeat the run: revision, versions, machine, seeds."""
    return {
        "revision": _git_revision(),
        "python": platform.python_version(),
        "versions": versions(),
        "machine": platform.machine(),
        "system": platform.system(),
        "seed": recipe.seed,
        "split_seed": recipe.data.split_seed,
    }


def versions() -> dict[str, str]:
    """Installed versions of what decides the figures."""
    found = {}
    for name in _REPORTED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def record_length(folder: Path, recipe: Recipe, step: int) -> None:
    """Records how long a run is to be, once it is sure that it can go on so; called before its next step.

    Args:
        folder: The run folder.
        recipe: With other steps or another cool-down than recorded, where the run may be prolonged.
        step: Steps done.

    Raises:
        UsageError: The run has done more steps, or its cool-down has begun, which no longer run would have done.
    """
    if step > recipe.steps:
        raise UsageError(f"{folder} has done {step} steps, more than steps, {recipe.steps}; give more")
    path = folder / RECIPE
    if recipe.optimiser.schedule != "trapezoid" or not path.exists():
        return
    before = read_yaml(path)
    steps, cooldown = before["steps"], before["optimiser"]["cooldown_images"]
    same = (steps, cooldown) == (recipe.steps, recipe.optimiser.cooldown_images)
    if not same and cooldown and step > steps - cooldown / recipe.batch_size:
        raise UsageError(
            f"{folder}: the cool-down to {steps} steps has begun, so the run cannot be prolonged as one run; start "
            "another one from its weights by student.start"
        )
    if not same and not process_rank():
        _write_recipe(path, recipe)


def _write_environment(folder: Path, recipe: Recipe) -> None:
    """Unless it is there: after a full disk it may be missing beside the recipe."""
    if not (folder / ENVIRONMENT).exists():
        write_text(folder / ENVIRONMENT, yaml.safe_dump(environment(recipe), sort_keys=False))


def _write_recipe(path: Path, recipe: Recipe) -> None:
    write_text(path, f"# digest: {recipe.digest}\n" + yaml.safe_dump(recipe.plain(), sort_keys=False))


def recorded_digest(path: Path) -> str:
    """The digest in the first line of a run's recipe."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("# digest: ").strip()


def _git_revision() -> str:
    """The revision of the source that runs, with a mark when it was changed; `unknown` outside a checkout."""
    source = Path(__file__).parent
    try:
        revision = _git(source, "rev-parse", "HEAD")
        return revision + ("+changes" if _git(source, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
