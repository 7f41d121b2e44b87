"""`best.pt`, a net to use, and `last.pt`, everything a run needs to go on as if it had never stopped."""

import io
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facedistill.backbones import Backbone, save_backbone
from facedistill.backbones.checkpoint import load_plain
from facedistill.errors import FacedistillError
from facedistill.files import write_bytes
from facedistill.heads import Head, ShardedHead, drop_parts, load_parts, save_part
from facedistill.processes import barrier, process_rank
from facedistill.training.average import AveragedModel
from facedistill.training.task import Task

BEST = "best.pt"
LAST = "last.pt"
_FORMAT = "facedistill-training-1"


@dataclass
class Progress:
    """How far a run has come, apart from its weights.

    Attributes:
        step: Steps done.
        best_score: Lowest validation score so far; infinite before the first validation.
        best_step: The step it was reached at.
        window: Name -> sum of that loss since the last record, so that a resumed run writes the same record.
        window_steps: Steps in the window.
        seconds: Time spent on steps, over all sessions.
        pending: The record and the validation of the last step, where they are due, are still to be written.
    """

    step: int = 0
    best_score: float = float("inf")
    best_step: int = 0
    window: dict[str, float] = field(default_factory=dict)
    window_steps: int = 0
    seconds: float = 0.0
    pending: bool = False


def save_best(folder: Path, net: Backbone, head: Head | ShardedHead) -> None:
    """Writes a net to `best.pt`, with its head unless the processes share that."""
    save_backbone(folder / BEST, net, None if isinstance(head, ShardedHead) else head)


def save_last(
    folder: Path,
    task: Task,
    optimiser: torch.optim.Optimizer,
    average: AveragedModel | None,
    progress: Progress,
    recipe_digest: str,
) -> None:
    """Writes everything that the rest of the run depends on to `last.pt`; all processes call it together.

    The first one writes. Of a sharded head each process writes its own part, to a file beside it.
    """
    if isinstance(task.head, ShardedHead):
        save_part(folder, task.head, progress.step, optimiser)
        barrier()
    if not process_rank():
        state = {
            "format": _FORMAT,
            "recipe": recipe_digest,
            "task": {key: value for key, value in task.state_dict().items() if key not in _own_part(task)},
            "optimiser": _without_own_part(optimiser, task),
            "progress": asdict(progress),
        }
        if average is not None:
            state["average"] = average.state_dict()
        content = io.BytesIO()  # torch reports a full disk in its own way; plain writing reports it as such
        torch.save(state, content)
        write_bytes(folder / LAST, content.getvalue())
        if isinstance(task.head, ShardedHead):
            drop_parts(folder, progress.step)
    barrier()


def load_last(
    folder: Path, task: Task, optimiser: torch.optim.Optimizer, average: AveragedModel | None, recipe_digest: str
) -> Progress:
    """Puts `last.pt` back into the task, the optimiser and the average of the weights.

    Returns:
        How far the run had come; a new `Progress` when there is no `last.pt`.

    Raises:
        FacedistillError: The file is damaged or belongs to another recipe.
    """
    path = folder / LAST
    if not path.exists():
        return Progress()
    mend = f"delete {folder} to start anew"
    try:
        state: dict[str, Any] = load_plain(path)
        if state["format"] != _FORMAT:
            raise ValueError(f"format {state['format']!r}")
        if state["recipe"] != recipe_digest:
            raise FacedistillError(f"{path} was written by another recipe; give that recipe, or {mend}")
        light = "optimiser" not in state  # of a light pack, which leaves head and moments out
        fresh = task.head.state_dict(prefix="head.") if light else _own_part(task)
        task.load_state_dict(state["task"] | fresh)
        if not light:
            optimiser.load_state_dict(state["optimiser"])
        if average is not None:
            average.load_state_dict(state["average"])
        progress = Progress(**state["progress"])
        if isinstance(task.head, ShardedHead):
            load_parts(folder, task.head, progress.step, optimiser)
        return progress
    except FacedistillError:
        raise
    except Exception as error:  # torch raises many kinds for a damaged file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FacedistillError(f"{path} is damaged ({reason[:120]}); {mend}") from error


def _own_part(task: Task) -> dict[str, Tensor]:
    """What of the task's state belongs to this process alone."""
    return task.head.state_dict(prefix="head.") if isinstance(task.head, ShardedHead) else {}


def _without_own_part(optimiser: torch.optim.Optimizer, task: Task) -> dict[str, Any]:
    own = set(map(id, task.head.parameters())) if isinstance(task.head, ShardedHead) else set()
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    state = optimiser.state_dict()
    moments = {place: values for place, values in state["state"].items() if id(weights[place]) not in own}
    return {**state, "state": moments}
