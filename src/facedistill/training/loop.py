"""The training loop: one for teachers, controls and students."""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy import float32, uint8
from numpy.typing import NDArray
from torch import Tensor

from facedistill.backbones import embed_crops
from facedistill.errors import FacedistillError
from facedistill.foreign import foreign_errors
from facedistill.processes import all_reduce_sum, broadcast_from_first, process_count, process_rank
from facedistill.recipe import HARD, Recipe
from facedistill.training.average import AVERAGED, AveragedModel, averaged_net, make_average
from facedistill.training.checkpoint import LAST, Progress, load_last, save_best, save_last
from facedistill.training.clock import Clock
from facedistill.training.data import AugmentedFaces, Batch, batches, default_workers
from facedistill.training.device import make_fabric
from facedistill.training.in_batches import FacesInBatches
from facedistill.training.log import RunLog
from facedistill.training.on_device import FacesOnDevice, faces_for, on_device
from facedistill.training.optimiser import clip_gradient, make_optimiser, set_learning_rate
from facedistill.training.prepared import prepare_to_share, shape_parameters
from facedistill.training.run_folder import record_length
from facedistill.training.stopping import stopping
from facedistill.training.task import Task
from facedistill.training.ways_out import Step, kept_on_every_way_out

Embed = Callable[[NDArray[uint8]], NDArray[float32]]
Validate = Callable[[Embed], Mapping[str, float]]
Objective = Callable[[int, Mapping[str, float]], float]

_LOG_EVERY = 20
_STEP = 3  # a stream of random numbers of its own, see `sampling`


class InterruptedRunError(FacedistillError):
    """The user pressed Ctrl-C; the state is saved."""


class TimeIsUpError(FacedistillError):
    """The minutes that the recipe gives one call are over; the state is saved."""

    exit_code = 0


class DivergedRunError(FacedistillError):
    """A loss or a gradient is NaN or infinite."""


@dataclass(frozen=True)
class FitResult:
    """How a run ended.

    Attributes:
        best_step: The step whose weights are in `best.pt`.
        best_score: Its validation score, lower is better; the training loss decides nothing.
        seconds: Time spent on steps.
        steps: Steps done.
    """

    best_step: int
    best_score: float
    seconds: float
    steps: int


def mean_figure(_step: int, figures: Mapping[str, float]) -> float:
    """The mean of all figures: the score of a net unless another objective is given."""
    return sum(figures.values()) / len(figures)


def fit(
    task: Task,
    augmented: AugmentedFaces | FacesOnDevice,
    recipe: Recipe,
    folder: Path,
    validate: Validate | None,
    objective: Objective = mean_figure,
    observe: Validate | None = None,
) -> FitResult:
    """Trains `task` for `recipe.steps` steps, from where an earlier call in `folder` stopped.

    Every `recipe.validate_every` steps and at the end it validates, keeps the best weights in `best.pt` and the
    whole state in `last.pt`. Without `validate` the last weights are the best.

    In a distributed run (see `launch`) all processes call it together. Each takes its share of every batch; losses,
    statistics of norms and gradients are those of the whole batch, so the curve is one process's but for rounding.
    The first process validates and writes.

    Args:
        task: The student with its head, losses and teacher targets, on the CPU.
        augmented: The student's input; see `on_device.faces_for` for where it is made.
        recipe: Steps, batch size, optimiser, precision.
        folder: The run folder; made by the caller.
        validate: Embedding function -> named figures.
        observe: Embedding function -> named figures that are logged at each validation and decide nothing.
        objective: Step and figures -> score, lower is better; their mean unless given. What it raises ends the run.

    Raises:
        InterruptedRunError: Ctrl-C; `last.pt` is written, the same call goes on.
        TimeIsUpError: Likewise after `recipe.minutes`.
        DivergedRunError: A loss is NaN or infinite.
        FacedistillError: The state in `folder` is not of this recipe.
    """
    torch.use_deterministic_algorithms(True, warn_only=True)
    fabric = make_fabric(recipe.device, recipe.precision, idle_weights=HARD not in task.terms)
    task = task.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    shape_parameters(task, augmented)
    if process_count() > 1:
        prepare_to_share(task, fabric.device)
    optimiser = make_optimiser(task, recipe.optimiser)
    average = make_average(task.backbone, recipe.ema)
    progress = load_last(folder, task, optimiser, average, recipe.digest)
    record_length(folder, recipe, progress.step)
    model, optimiser = fabric.setup(task, optimiser)
    if average is not None:
        average.to(fabric.device)
    workers = default_workers() if recipe.workers is None else recipe.workers
    faces = faces_for(augmented, fabric.device)
    foreign = ", ".join(task.foreign_parts)

    step, clock = Step(task), Clock()
    kept = progress if (folder / LAST).exists() else None
    if progress.step == recipe.steps and math.isinf(progress.best_score):  # of a light pack, without its best net
        progress = replace(progress, pending=True)

    def keep() -> None:
        nonlocal kept
        if progress != kept:
            save_last(folder, task, optimiser, average, progress, recipe.digest)
            kept = progress

    def settle() -> bool:
        """What follows a step: its record, its validation; returns whether it was validated."""
        nonlocal progress, clock
        logs = progress.step % _LOG_EVERY == 0 or progress.step == recipe.steps
        validates = progress.step % recipe.validate_every == 0 or progress.step == recipe.steps
        if logs and progress.window_steps:
            means = {name: value / progress.window_steps for name, value in progress.window.items()}
            rate = optimiser.param_groups[0]["lr"]
            timing = clock.read(recipe.batch_size)
            people = _people(augmented, progress.step * recipe.batch_size)
            log.write("train", progress.step, {**means, "learning_rate": rate, **people}, timing)
            log.advance(progress.step, _status(means, timing, augmented))
        if validates:
            progress = _validated(progress, task, average, validate, objective, log, folder)
            if observe is not None and not process_rank():
                net = task.backbone if average is None else averaged_net(average)
                log.write("fidelity", progress.step, observe(partial(embed_crops, net)), {})
        progress = replace(progress, pending=False)
        if logs:
            progress = replace(progress, window={}, window_steps=0)
        if validates:
            keep()
            clock = Clock()
        return validates

    with (
        RunLog(folder, recipe.name, recipe.steps, progress.step, progress.pending) as log,
        stopping(recipe.minutes) as stop,
        kept_on_every_way_out(step, lambda: keep() if progress.step else None),
        # Closed whatever happens: workers that outlive an error keep the program from ending.
        closing(batches(faces, recipe, progress.step, workers, stop)) as loader,
        closing(on_device(loader, faces, fabric.device)) as shown,
    ):
        if progress.pending:
            settle()
            clock = Clock()
        for batch in shown:
            clock.data_came()
            step.begin()
            set_learning_rate(optimiser, recipe, progress.step)
            _seed(recipe.seed, progress.step)
            task.images = progress.step * recipe.batch_size
            with foreign_errors(f"step {progress.step} with {foreign} fails", *task.foreign_parts):
                terms = model(batch)
            _refuse_non_finite(terms, progress.step, batch)
            with foreign_errors(f"step {progress.step}: the gradient with {foreign} fails", *task.foreign_parts):
                fabric.backward(torch.stack(list(terms.values())).sum())
            _refuse_non_finite({"gradient": clip_gradient(task, recipe.optimiser.clip)}, progress.step, batch)
            step.move()
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            if average is not None:
                average.update_parameters(task.backbone)
            figures, stops = _agreed(terms, stop())
            progress = _advanced(progress, figures, clock.step_done())
            step.end()
            if settle():  # which takes long enough to be interrupted
                stops = stops or broadcast_from_first(float(stop.wanted)) > 0
            if stops:
                break
        if progress.step < recipe.steps:
            keep()
            where = f"at step {progress.step} of {recipe.steps}; the state is in {folder}; run it again"
            if recipe.minutes is None or stop.wanted:
                raise InterruptedRunError(f"stopped {where}")
            raise TimeIsUpError(f"time is up {where}")
    return FitResult(progress.best_step, progress.best_score, progress.seconds, progress.step)


def _seed(seed: int, step: int) -> None:
    """What is random within a step follows from its number, so a resumed run draws what it would have drawn."""
    torch.manual_seed(int(np.random.SeedSequence((seed, _STEP, step, process_rank())).generate_state(1)[0]))


def _agreed(terms: Mapping[str, Tensor], stop: bool) -> tuple[dict[str, float], bool]:
    """Each term's mean over the processes, and whether any of them wants to stop."""
    figures = {name: term.item() for name, term in terms.items()}
    if process_count() == 1:
        return figures, stop
    sums = all_reduce_sum(torch.tensor([float(stop), *figures.values()], dtype=torch.float64)).tolist()
    return {name: value / process_count() for name, value in zip(figures, sums[1:], strict=True)}, sums[0] > 0


def _advanced(progress: Progress, figures: Mapping[str, float], seconds: float) -> Progress:
    window = {name: progress.window.get(name, 0.0) + figure for name, figure in figures.items()}
    return replace(
        progress,
        step=progress.step + 1,
        window=window,
        window_steps=progress.window_steps + 1,
        pending=True,
        seconds=progress.seconds + seconds,
    )


def _validated(
    progress: Progress,
    task: Task,
    average: AveragedModel | None,
    validate: Validate | None,
    objective: Objective,
    log: RunLog,
    folder: Path,
) -> Progress:
    """Validates the net as it stands and the average of its weights; keeps the better one if it is the best so far."""
    net, score = task.backbone, -float(progress.step)  # without validation the last weights are the best
    if validate is not None and not process_rank():
        started = time.perf_counter()
        nets = [task.backbone] if average is None else [task.backbone, averaged_net(average)]
        measured = [validate(partial(embed_crops, each)) for each in nets]
        place = min(range(len(nets)), key=lambda number: mean_figure(0, measured[number]))
        net, figures = nets[place], measured[place]
        marked = {} if average is None else {AVERAGED: float(place)}
        log.write("validation", progress.step, {**figures, **marked}, {"seconds": time.perf_counter() - started})
        score = objective(progress.step, figures)
    score = broadcast_from_first(score)
    if not math.isfinite(score):
        raise FacedistillError(f"step {progress.step}: the validation score is {score}; check the validation faces")
    if score >= progress.best_score:
        return progress
    if not process_rank():
        save_best(folder, net, task.head)
    return replace(progress, best_score=score, best_step=progress.step)


def _refuse_non_finite(terms: Mapping[str, Tensor], step: int, batch: Batch) -> None:
    for name, term in terms.items():
        if not torch.isfinite(term):
            keys = ", ".join(batch.keys[:8]) + (", ..." if len(batch.keys) > 8 else "")
            raise DivergedRunError(
                f"step {step}: {name} is {term.item()}; lower optimiser.learning_rate or look at these faces: {keys}"
            )


def _people(augmented: FacesInBatches, position: int) -> dict[str, float]:
    """How many people may be drawn from, where the set grows."""
    return {} if augmented.growing is None else {"people": float(augmented.growing.people(position))}


def _status(means: Mapping[str, float], timing: Mapping[str, float], augmented: FacesInBatches) -> str:
    losses = " ".join(f"{name} {value:.3g}" for name, value in means.items())
    growing = augmented.growing
    rendered = f" | {growing.rendered}/{growing.most} people" if growing is not None else ""
    return f"{losses} | {timing['images_per_second']:.0f} images/s{rendered}"
