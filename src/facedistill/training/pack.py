"""A run as one file, to go on with it on another machine or device.

A zip archive: `pack.json` with the format, the recipe's digest and each file's SHA-256, and the files of the run folder
and of its control. What follows from the recipe (faces, teacher targets) is not in it and is made anew.
"""

import hashlib
import io
import json
import shutil
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import torch
import yaml

from facedistill.backbones.checkpoint import load_plain
from facedistill.errors import FacedistillError, UsageError
from facedistill.files import atomic_path
from facedistill.recipe.files import read_recipe
from facedistill.training.checkpoint import BEST, LAST, Progress
from facedistill.training.log import METRICS
from facedistill.training.run_folder import ENVIRONMENT, RECIPE, TRAINED_ON, recorded_digest
from facedistill.yaml_text import load_yaml

FORMAT = "facedistill-pack-1"

_MANIFEST = "pack.json"
_ENTRY, _NAME_AT = b"PK\x03\x04", 30  # how a zip archive begins, and where its first entry's name stands
_BEGINNING = _MANIFEST.encode()
_MANIFEST_BYTES = 1 << 16
_FILES = (RECIPE, ENVIRONMENT, METRICS, LAST, BEST, TRAINED_ON)
_ROLES = ("", "control/")
_NAMES = {role + name for role in _ROLES for name in _FILES}
_MOST_BYTES = 1 << 33  # of all files together, unpacked


def pack_run(run: Path, out: Path, light: bool = False) -> int:
    """Writes everything that must travel for a run to go on: recipe, log, weights, head, optimiser, draws, best net.

    Args:
        run: The run folder, of a run without a sharded head.
        out: The pack.
        light: Leave out the optimiser's moments, the head and the best net, and store half floats. The run then goes on
            with fresh moments and a fresh head, and its next validation gives the best net.

    Returns:
        Bytes written.

    Raises:
        UsageError: The folder holds no run that was stopped or finished, or one with a sharded head; or the pack would
            lie in it.
        FacedistillError: A file cannot be read or written.
    """
    if not (run / RECIPE).is_file() or not (run / LAST).is_file():
        raise UsageError(f"{run} holds no run to go on with (no {RECIPE} or no {LAST}); give a run folder")
    if out.resolve().is_relative_to(run.resolve()):
        raise UsageError(f"{out} lies in the run that is packed; give a file outside {run}")
    if parts := sorted(run.glob("head-*")):
        raise UsageError(f"{run} has a sharded head ({parts[0].name}), which no pack can hold; copy the folder")
    contents = {}
    for name in (name for name in sorted(_NAMES) if name.endswith(".pt") and (run / name).is_file()):
        load_plain(run / name)  # a damaged state is told here, not on the other machine
    for name in sorted(_NAMES):
        if (run / name).is_file() and not (light and name.endswith(BEST)):
            halve = light and name.endswith(LAST)
            contents[name] = _light_state(run / name) if halve else (run / name).read_bytes()
            if name.endswith(RECIPE):
                contents[name] = _without_place(contents[name])
    manifest = {
        "format": FORMAT,
        "recipe": recorded_digest(run / RECIPE),
        "light": light,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
    }
    with atomic_path(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(_MANIFEST, json.dumps(manifest, indent=1))
        for name, content in contents.items():
            archive.writestr(name, content)
    return out.stat().st_size


def unpack_run(pack: Path, run: Path) -> None:
    """Makes a run folder of a pack; `facedistill distill --resume RUN` goes on with it.

    Args:
        pack: The pack.
        run: The run folder to make.

    Raises:
        UsageError: The folder is not empty, or the file is missing.
        FacedistillError: The file is no pack, of another version, cut short or changed.
    """
    run = run.resolve()
    _check_beginning(pack)
    if run.exists() and (not run.is_dir() or any(run.iterdir())):
        raise UsageError(f"{run} is not empty; give another folder for the run")
    try:
        with zipfile.ZipFile(pack) as archive:
            manifest = _manifest(pack, archive)
            contents = {name: _content(pack, archive, name, digest) for name, digest in manifest["files"].items()}
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise FacedistillError(f"{pack} is cut short or damaged ({error}); copy it again") from error
    if _recorded(contents) != manifest["recipe"]:
        raise FacedistillError(f"{pack} holds another recipe than it names; pack the run again")
    made = run.with_name(f".{run.name}.part")
    shutil.rmtree(made, ignore_errors=True)
    try:
        for name, content in contents.items():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).write_bytes(content)
        _check_recipe(pack, made, manifest["recipe"])
        if run.exists():
            run.rmdir()
        made.rename(run)
    except OSError as error:
        raise FacedistillError(f"cannot write {run}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _check_beginning(pack: Path) -> None:
    """Refuses what does not begin as a pack does.

    A pack that is cut short may still end as an archive does, as the states in it are archives themselves.
    """
    try:
        with pack.open("rb") as file:
            beginning = file.read(len(_BEGINNING) + _NAME_AT)
    except FileNotFoundError:
        raise UsageError(f"{pack} does not exist; make a pack with `facedistill pack RUN {pack.name}`") from None
    except OSError as error:
        raise FacedistillError(f"cannot read {pack}: {error.strerror or error}; give a file") from error
    if not (beginning.startswith(_ENTRY) and beginning[_NAME_AT:] == _BEGINNING):
        raise FacedistillError(f"{pack} is no pack; make one with `facedistill pack RUN {pack.name}`")


def _check_recipe(pack: Path, made: Path, digest: str) -> None:
    """Refuses a pack whose recipe or states are of another recipe than it names."""
    mend = "pack the run again"
    try:
        recipe = read_recipe(made / RECIPE)
    except UsageError as error:
        reason = str(error).partition(": ")[2]
        raise FacedistillError(f"{pack} holds a recipe that this version cannot read ({reason}); {mend}") from error
    if recipe.digest != digest:
        raise FacedistillError(f"{pack} names another recipe than its {RECIPE} is, which was changed; {mend}")
    state = load_plain(made / LAST)
    if not isinstance(state, dict) or state.get("recipe") != digest:
        raise FacedistillError(f"{pack} holds the state of another recipe than its {RECIPE}; {mend}")


def _without_place(recipe: bytes) -> bytes:
    """A run's recipe without the folder it lies in, which means nothing on another machine."""
    digest, _, content = recipe.partition(b"\n")
    values = load_yaml(content.decode("utf-8", "replace"))
    values.pop("out", None)
    return digest + b"\n" + yaml.safe_dump(values, sort_keys=False).encode()


def _light_state(path: Path) -> bytes:
    """`last.pt` without moments and head, its weights in half floats, its best score forgotten."""
    state: dict[str, Any] = load_plain(path)
    best = {key: getattr(Progress(), key) for key in ("best_score", "best_step")}
    light = {
        "format": state["format"],
        "recipe": state["recipe"],
        "task": {key: _half(value) for key, value in state["task"].items() if not key.startswith("head.")},
        "progress": state["progress"] | best,
    }
    if "average" in state:
        light["average"] = {key: _half(value) for key, value in state["average"].items()}
    content = io.BytesIO()
    torch.save(light, content)
    return content.getvalue()


def _half(value: torch.Tensor) -> torch.Tensor:
    return value.half() if value.is_floating_point() else value


def _manifest(pack: Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    """The checked manifest: a known format, known names, and sizes that can be held."""
    entries = {entry.filename: entry for entry in archive.infolist()}
    if _MANIFEST not in entries:
        raise FacedistillError(f"{pack} is cut short: it ends before its list of files; copy it again")
    if entries[_MANIFEST].file_size > _MANIFEST_BYTES:
        raise FacedistillError(f"{pack}: its {_MANIFEST} is damaged (too long); copy it again")
    try:
        manifest: dict[str, Any] = json.loads(archive.read(_MANIFEST))
        form, names, recipe = manifest["format"], {name for name, _ in manifest["files"].items()}, manifest["recipe"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FacedistillError(f"{pack}: its {_MANIFEST} is damaged ({error}); copy it again") from error
    if form != FORMAT:
        raise FacedistillError(f"{pack} is a pack of the format {str(form)[:40]!r}, not {FORMAT!r}; pack the run anew")
    strange = sorted((names - _NAMES) | (set(entries) - names - {_MANIFEST}))
    if strange or not {RECIPE, LAST} <= names <= set(entries) or not isinstance(recipe, str):
        raise FacedistillError(f"{pack} has not the files of a run ({str(strange)[:80]}); pack the run again")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values()):
        raise FacedistillError(f"{pack} has compressed entries, which `facedistill pack` does not write; pack it again")
    if sum(entry.file_size for entry in entries.values()) > min(_MOST_BYTES, pack.stat().st_size):
        raise FacedistillError(f"{pack} claims more than it holds; copy it again")
    return manifest


def _content(pack: Path, archive: zipfile.ZipFile, name: str, digest: Any) -> bytes:
    content = archive.read(name)
    if hashlib.sha256(content).hexdigest() != digest:
        raise FacedistillError(f"{pack}: {PurePosixPath(name)} is not what was packed; copy it again")
    return content


def _recorded(contents: dict[str, bytes]) -> str:
    return contents[RECIPE].decode("utf-8", "replace").partition("\n")[0].removeprefix("# digest: ").strip()
