"""Checkpoints of a sharded head: each process writes its part; any number of processes read what they then hold."""

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facedistill.backbones.checkpoint import load_plain
from facedistill.errors import FacedistillError
from facedistill.files import atomic_path
from facedistill.heads.sharded import ShardedHead, part_of
from facedistill.processes import process_count, process_rank

_FORMAT = "facedistill-head-part-1"
_DESCRIPTION = ("name", "classes", "embedding_size", "options")
_NAME = re.compile(r"head-(\d+)-of-(\d+)-step-(\d+)\.pt")


def save_part(folder: Path, head: ShardedHead, step: int, optimiser: torch.optim.Optimizer | None = None) -> Path:
    """Writes this process's class centres, what the head remembers, and the optimiser's moments of the centres.

    A checkpoint is whole once all processes have returned; only then record `step` elsewhere, and `drop_parts`.

    Args:
        folder: The same for all processes.
        head: This process's part.
        step: Names the checkpoint; the same for all processes.
        optimiser: Holds the centres; None saves no moments.

    Raises:
        FacedistillError: The file cannot be written.
    """
    weight = head.head.weight
    content = {
        "format": _FORMAT,
        **{key: getattr(head, key) for key in _DESCRIPTION},
        "weight": weight.detach().cpu(),
        "memory": {key: buffer.cpu() for key, buffer in head.head.named_buffers()},
        "moments": {key: value.cpu() for key, value in _moments(optimiser, weight).items()},
    }
    path = Path(folder) / f"head-{process_rank()}-of-{process_count()}-step-{step}.pt"
    try:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            torch.save(content, file)
    except RuntimeError as error:  # how torch reports a full disk
        raise FacedistillError(f"cannot write {path}: {str(error).splitlines()[0][:100]}") from error
    return path


def load_parts(folder: Path, head: ShardedHead, step: int, optimiser: torch.optim.Optimizer | None = None) -> None:
    """Fills a head from the parts of a checkpoint, whatever the number of processes that wrote them.

    Reads, of each part, only the centres that this process holds.

    Raises:
        FacedistillError: No complete set of parts is there, or a part is damaged or of another head.
    """
    weight, filled = head.head.weight, 0
    for path, first in _parts(Path(folder), step, head.classes):
        content = _read(path, head)
        low, high = max(first, head.first), min(first + len(content["weight"]), head.end)
        if low >= high:
            continue
        theirs, ours = slice(low - first, high - first), slice(low - head.first, high - head.first)
        with torch.no_grad():
            weight[ours] = content["weight"][theirs].to(weight)
            for key, buffer in head.head.named_buffers():
                buffer.copy_(content["memory"][key])
            if optimiser is not None:
                for key, value in content["moments"].items():
                    _put_moment(optimiser, weight, key, value, theirs, ours)
        filled += high - low
    if filled != head.end - head.first:
        raise FacedistillError(f"{folder}: the parts of step {step} hold too few classes; take an earlier checkpoint")


def drop_parts(folder: Path, keep: int) -> None:
    """Deletes the parts of all other steps; call it on one process, once `keep` is recorded."""
    for path in Path(folder).glob("head-*.pt"):
        if (named := _NAME.fullmatch(path.name)) and int(named[3]) != keep:
            path.unlink(missing_ok=True)


def _parts(folder: Path, step: int, classes: int) -> list[tuple[Path, int]]:
    """The files of one complete set, each with its first class."""
    ranks: dict[int, set[int]] = {}
    for path in folder.glob("head-*.pt"):
        if (named := _NAME.fullmatch(path.name)) and int(named[3]) == step:
            ranks.setdefault(int(named[2]), set()).add(int(named[1]))
    for count, found in ranks.items():
        if found == set(range(count)):
            return [
                (folder / f"head-{rank}-of-{count}-step-{step}.pt", part_of(rank, count, classes)[0])
                for rank in range(count)
            ]
    missing = [f"{count - len(found)} of {count} missing" for count, found in ranks.items()] or ["none found"]
    raise FacedistillError(
        f"{folder} holds no whole set of the head's parts of step {step} ({', '.join(missing)}); copy all of them"
    )


def _read(path: Path, head: ShardedHead) -> dict[str, Any]:
    try:
        content = load_plain(path, mapped=True)
        if content["format"] != _FORMAT:
            raise ValueError(f"format {str(content['format'])[:40]!r}")
        saved = {key: content[key] for key in _DESCRIPTION}
        lengths = {content["weight"].shape[1]} | {v.shape[1] for v in content["moments"].values() if v.ndim}
        memory = dict(head.head.named_buffers()).keys()
        whole = lengths == {head.embedding_size} and set(content["memory"]) == memory
    except FacedistillError:
        raise
    except Exception as error:  # entries that are missing or of another type
        reason = str(error).strip().split("\n", 1)[0][:100]
        raise FacedistillError(f"{path} is damaged ({type(error).__name__}: {reason}); copy it again") from error
    wanted = {key: getattr(head, key) for key in saved}
    if saved != wanted:
        raise FacedistillError(f"{path} is of another head ({saved}, not {wanted}); give the recipe it was made with")
    if not whole:
        raise FacedistillError(f"{path} is damaged (its shapes do not fit); copy it again")
    return dict(content)


def _moments(optimiser: torch.optim.Optimizer | None, weight: Tensor) -> dict[str, Tensor]:
    state = {} if optimiser is None else optimiser.state.get(weight, {})
    return {key: value for key, value in state.items() if isinstance(value, Tensor)}


def _put_moment(
    optimiser: torch.optim.Optimizer, weight: Tensor, key: str, value: Tensor, theirs: slice, ours: slice
) -> None:
    state = optimiser.state[weight]
    if not value.ndim:  # a count of steps
        state[key] = value.clone()
        return
    if key not in state:
        state[key] = torch.zeros_like(weight, requires_grad=False)
    state[key][ours] = value[theirs].to(weight)
