"""What every run folder holds beside its results: the resolved recipe and where it was run."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from facedistill.errors import FacedistillError, UsageError
from facedistill.files import write_text
from facedistill.processes import first_process_first, process_rank
from facedistill.recipe import Recipe
from facedistill.yaml_text import read_yaml

RECIPE = "recipe.yaml"
ENVIRONMENT = "environment.yaml"
_REPORTED = ("facedistill", "torch", "lightning-fabric", "onnxruntime", "opencv-python-headless", "numpy")


@first_process_first()
def open_run_folder(recipe: Recipe) -> Path:
    """Makes the run folder, or goes on in it when it holds the same recipe; the first of several processes makes it.

    Raises:
        UsageError: The folder holds another recipe's run, or something that is no run.
    """
    folder = recipe.folder
    digest = folder / RECIPE
    if digest.exists():
        if recorded_digest(digest) != recipe.digest:
            raise UsageError(f"{folder} holds the run of another recipe; give another --out, or delete the folder")
        return folder
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty and holds no run; give another --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FacedistillError(f"cannot make the run folder {folder}: {error.strerror}") from error
    write_text(folder / ENVIRONMENT, yaml.safe_dump(environment(recipe), sort_keys=False))
    _write_recipe(digest, recipe)
    return folder


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
