"""`facedistill clean`: what is kept of people's faces in the cache folder and in run folders, listed and deleted.

Only entries that this package makes are taken, by their names; a link is never followed.
"""

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from facedistill.cli.screen import show
from facedistill.errors import FacedistillError, UsageError
from facedistill.files import cache_folder, sole_writer

CACHE = "cache"
_RECIPE, _DIGEST = "recipe.yaml", re.compile(rb"# digest: [0-9a-f]{64}\r?\n")

# Pattern of a name -> what it is. Locks stay: whoever is at work holds them, and they hold no data.
_OF_CACHE = {
    "embeddings": "embeddings of faces that were tested",
    "teacher-views": "teachers' embeddings of training faces",
    "damage": "lists of pictures that cannot be read",
    r"people-[\w.x-]+": "synthetic people",
    r"(index|labels|offsets)-[0-9a-f]+-[0-9a-f]+\.npy": "index of a face set",
    r"digits-\d+": "pictures of digits",
    r"(mtcnn|dlib)-[\w-]+\.(onnx|sha256)": "converted weights",
    r"synth-(head|kernels)-[\w.-]+": "what renders synthetic people",
}
_OF_RUN = {
    "embeddings": "embeddings of the test faces",
    r"teacher(-\d+)?": "embeddings of the training faces",
    "examples": "pictures of people",
    r"report\.html": "the report, with pictures of people; `facedistill report` writes it anew",
}


@dataclass(frozen=True)
class Entry:
    """Something to delete.

    Attributes:
        path: A file or a folder, no link.
        kind: What it is.
        size: Bytes.
    """

    path: Path
    kind: str
    size: int


def clean(what: list[str], yes: bool = False) -> None:
    """Deletes what is kept of people's faces: lists it, asks, and deletes; nothing outside the package's own folders.

    Args:
        what: `cache` (the cache folder: embeddings, rendered people, converted weights; all is made anew when it is
            needed), or run folders, which lose embeddings, examples and the report and keep nets and figures.
        yes: Delete without asking.
    """
    with ExitStack() as held:
        entries = []
        for name in dict.fromkeys(what):
            folder = cache_folder() if name == CACHE else _run_folder(Path(name))
            held.enter_context(sole_writer(folder))
            entries += list(_found(folder, _OF_CACHE if name == CACHE else _OF_RUN))
        for entry in entries:
            show(f"{entry.path}: {entry.kind}, {entry.size / 1e6:.1f} MB")
        if not entries:
            show("there is nothing to delete")
            return
        total = f"{len(entries)} entries, {sum(entry.size for entry in entries) / 1e6:.1f} MB"
        if not yes and not _agreed(total):
            show("nothing was deleted")
            return
        for entry in entries:
            _delete(entry.path)
        show(f"deleted: {total}")


def _run_folder(folder: Path) -> Path:
    try:
        with (folder / _RECIPE).open("rb") as file:
            is_run = _DIGEST.fullmatch(file.readline(200)) is not None
    except OSError:
        is_run = False
    if not is_run:
        raise UsageError(f"{folder} is no run folder (no {_RECIPE} of a run); name run folders, or {CACHE}")
    return folder


def _found(folder: Path, kinds: dict[str, str]) -> Iterator[Entry]:
    """The entries of a folder that this package makes, and of a run's control."""
    try:
        for path in sorted(folder.iterdir()):
            kind = next((kind for pattern, kind in kinds.items() if re.fullmatch(pattern, path.name)), None)
            if kind is None:
                continue
            if path.is_symlink():
                show(f"{path}: a link, which is left alone; delete what it leads to yourself")
            else:
                yield Entry(path, kind, _size(path))
    except OSError as error:
        raise FacedistillError(f"cannot read {folder}: {error.strerror or error}") from error


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file() and not each.is_symlink()]
    return sum(file.stat().st_size for file in files)


def _agreed(total: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to ask; give --yes to delete without asking")
    show(f"delete {total}? [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _delete(path: Path) -> None:
    try:
        if path.is_dir():
            shutil.rmtree(path)  # which follows no link within
        else:
            path.unlink()
    except OSError as error:
        raise FacedistillError(f"cannot delete {path}: {error.strerror or error}") from error
