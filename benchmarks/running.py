"""Many training runs, each done once: a finished one is only read, one that was stopped goes on.

A run is a folder under OUT with `result.json` once it is finished, and `seconds.json`: what each of its phases took,
over all sessions, in CPU seconds (user and system, children included) and by the clock.
"""

import argparse
import json
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from facedistill.backbones import embed_crops, load_backbone
from facedistill.datasets.sources import ORL
from facedistill.datasets.training_faces import TrainingFaces, open_training_faces
from facedistill.errors import FacedistillError
from facedistill.evaluation import evaluate, sweep
from facedistill.export.info import net_info
from facedistill.files import write_text
from facedistill.pipelines.face_workload import FaceWorkload, cache_teacher_targets, resolve_student
from facedistill.recipe import Recipe
from facedistill.recipe.validate import validate
from facedistill.teachers import Teacher, TeacherCache, load_teachers
from facedistill.training import BEST, train
from facedistill.training.build import build_task
from facedistill.training.loop import Embed
from facedistill.training.run_folder import open_run_folder
from sizing import Sizes, sizes_of

RESULT, SECONDS, CACHE, LOG = "result.json", "seconds.json", "store", "log.txt"
UNSEEN = "unseen"  # synthetic people who were not trained on
TRAINING, TARGETS = "training", "asking"  # phases, as `seconds.json` names them
TARGETS_FOLDER = "word"  # of runs that only compute teacher targets

Extra = Callable[["Run", TrainingFaces], dict[str, Any]]
Rows = Mapping[str, list["Run"]]


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        recipe: What is trained; `recipe.out` is its folder.
        targets_from: Folder of the run that caches the teacher targets; None where there are labels alone.
        trains: Whether a net is trained; else the teacher targets of the recipe are computed and cached.
        after: Folders of the runs that must be finished before.
        tests: The test sets: `unseen`, `orl`.
        extra: A module's function that measures more; its dict is added to the result.
    """

    recipe: Recipe
    targets_from: Path | None = None
    trains: bool = True
    after: tuple[Path, ...] = ()
    tests: tuple[str, ...] = (UNSEEN, ORL)
    extra: Extra | None = None

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        return self.recipe.folder

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return (self.folder / RESULT).exists()

    def result(self) -> dict[str, Any]:
        """What `result.json` holds, with `seconds`: phase -> {"cpu", "wall", "whole"}."""
        result: dict[str, Any] = json.loads((self.folder / RESULT).read_text(encoding="utf-8"))
        return result | {"seconds": _read_book(self.folder)}


def finish(runs: Sequence[Run], jobs: int) -> None:
    """Does the unfinished runs, `jobs` at once, each in a process of its own; prints the CPU seconds of each.

    Raises:
        FacedistillError: A run failed; what the others did is kept.
    """
    left = {run.folder: run for run in runs if not run.finished}
    if not left:
        return
    first = next(iter(left.values())).recipe
    open_training_faces(first.data, first.student.input_size)  # rendered once, before processes need them
    threads = max(1, (os.cpu_count() or 1) // jobs)
    if jobs == 1:
        for run in runs:
            if not run.finished:
                perform(run, threads)
                _print_seconds(run)
        return
    context = multiprocessing.get_context("spawn")
    os.environ["OMP_NUM_THREADS"] = str(threads)
    pool = ProcessPoolExecutor(jobs, context, max_tasks_per_child=1)
    waiting: dict[Future[None], Run] = {}
    try:
        while left or waiting:
            for run in [run for run in left.values() if all((folder / RESULT).exists() for folder in run.after)]:
                waiting[pool.submit(perform, left.pop(run.folder), threads)] = run
            if not waiting:
                raise FacedistillError(f"{next(iter(left))} waits for a run that --only leaves out; name its row too")
            for done in wait(waiting, return_when=FIRST_COMPLETED).done:
                done.result()
                _print_seconds(waiting.pop(done))
    finally:
        pool.shutdown(cancel_futures=True)


def run_benchmark(
    parser: argparse.ArgumentParser,
    arguments: list[str] | None,
    usual: Sizes,
    full: Sizes,
    table_rows: Callable[[argparse.Namespace, Sizes], Rows],
    report: Callable[[argparse.Namespace, Sizes, Rows], None],
) -> None:
    """What the `main` of every benchmark of many runs does: the runs, then the report.

    Args:
        parser: Made by `options_parser`.
        arguments: Of the command line; None takes the process's own.
        usual: The default sizes.
        full: Those of `--full`.
        table_rows: Gives the runs of each row of the table.
        report: Writes the finished ones.

    Raises:
        FacedistillError: See `finish`.
    """
    options = parser.parse_args(arguments)
    sizes = sizes_of(options, usual, full)
    rows = table_rows(options, sizes)
    finish_selected(parser, options, rows)
    report(options, sizes, rows)


def tests_of(options: argparse.Namespace) -> tuple[str, ...]:
    """The names of the test sets."""
    return (UNSEEN,) if options.skip_orl else (UNSEEN, ORL)


def finish_selected(parser: argparse.ArgumentParser, options: argparse.Namespace, rows: Rows) -> None:
    """Does the unfinished runs of the rows that `--only` names, or of all, and those before them; none on `--report`.

    Raises:
        FacedistillError: See `finish`.
    """
    if unknown := set(options.only or []) - set(rows):
        parser.error(f"--only {' '.join(sorted(unknown))}: the rows are {' '.join(rows)}")
    if not options.report:
        runs = {run.folder: run for each in rows.values() for run in each}
        finish(with_needed(runs, [run for name in options.only or rows for run in rows[name]]), options.jobs)


def with_needed(runs: Mapping[Path, Run], wanted: Sequence[Run]) -> list[Run]:
    """The wanted runs and all that must be finished before them, in an order in which they can be done."""
    ordered: dict[Path, Run] = {}

    def add(run: Run) -> None:
        for folder in run.after:
            add(runs[folder])
        ordered[run.folder] = run

    for run in wanted:
        add(run)
    return list(ordered.values())


def _print_seconds(run: Run) -> None:
    spent = sum(phase["cpu"] for phase in run.result()["seconds"].values())
    print(f"{run.folder.name}: {spent:.0f} CPU seconds", flush=True)


def perform(run: Run, threads: int) -> None:
    """Does one run from where it stopped; its progress goes to `log.txt`."""
    torch.set_num_threads(threads)
    validate(run.recipe)
    teacher = load_teachers(run.recipe.all_teachers) if run.targets_from is not None or not run.trains else None
    recipe = resolve_student(run.recipe, teacher)
    folder = open_run_folder(recipe)
    with (folder / LOG).open("a", encoding="utf-8") as log, redirect_stderr(log):
        faces = open_training_faces(recipe.data, recipe.student.input_size)
        if not run.trains:
            assert teacher is not None, "a run that does not train has a teacher"
            with timed(folder, TARGETS):
                caches = cache_teacher_targets(teacher, recipe, faces, folder / CACHE)
                FaceWorkload(faces, teacher, caches).cache_all_views(recipe)
            extra = run.extra(run, faces) if run.extra else {}
            write_text(folder / RESULT, json.dumps({"teacher": recipe.teacher.spec, **extra}) + "\n")
            return
        caches = caches_of(run, recipe, teacher, faces)
        task = build_task(recipe, faces.train.classes)
        with timed(folder, TRAINING):
            fitted = train(FaceWorkload(faces, teacher, caches), recipe, task)
        backbone = load_backbone(folder / BEST)
        info = net_info(str(folder / BEST))
        with timed(folder, "testing"):
            cells = {
                name: _tested(name, recipe, faces, lambda crops: embed_crops(backbone, crops)) for name in run.tests
            }
            extra = run.extra(run, faces) if run.extra else {}
    result = {
        "cells": cells,
        "best_step": fitted.best_step,
        "steps": fitted.steps,
        "parameters": info.parameters,
        "macs": info.macs,
        **extra,
    }
    write_text(folder / RESULT, json.dumps(result, indent=1) + "\n")


def caches_of(
    run: Run, recipe: Recipe, teacher: Teacher | None, faces: TrainingFaces
) -> tuple[TeacherCache | None, ...]:
    """The teacher targets of a run, in the folder of the run that computes them; none without a teacher."""
    if teacher is None or run.targets_from is None:
        return ()
    return cache_teacher_targets(teacher, recipe, faces, run.targets_from / CACHE)


def _tested(name: str, recipe: Recipe, faces: TrainingFaces, embed: Embed) -> dict[str, Any]:
    if name == ORL:
        return evaluate(embed, ORL, recipe.student.input_size)[ORL].to_json()
    assert faces.held_out is not None, "all of these recipes keep people out"
    return sweep(embed, faces.held_out, failed=faces.failed).to_json()


def sweeps_of(run: Run, faces: TrainingFaces, embed: Embed) -> dict[str, Any]:
    """The sweeps of another form of a run's net: name of the test set -> sweep."""
    return {name: _tested(name, run.recipe, faces, embed) for name in run.tests}


@contextmanager
def timed(folder: Path, phase: str) -> Iterator[None]:
    """Adds what is done inside to the folder's `seconds.json`, also when it is broken off by an error or Ctrl-C."""
    book = _read_book(folder)
    former = book.get(phase, {"cpu": 0.0, "wall": 0.0, "whole": True})
    _write_book(folder, book | {phase: former | {"whole": False}})  # stays so where the process is killed
    cpu, wall = cpu_seconds(), time.perf_counter()
    try:
        yield
    finally:
        spent = {"cpu": former["cpu"] + cpu_seconds() - cpu, "wall": former["wall"] + time.perf_counter() - wall}
        _write_book(folder, book | {phase: spent | {"whole": former["whole"]}})


def cpu_seconds() -> float:
    """CPU seconds of this process and its ended children so far."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _read_book(folder: Path) -> dict[str, Any]:
    path = folder / SECONDS
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _write_book(folder: Path, book: Mapping[str, Any]) -> None:
    write_text(folder / SECONDS, json.dumps(book, indent=1) + "\n")


def run_script(main: Callable[[], None]) -> None:
    """Runs a script's `main`; an error is printed as one line."""
    try:
        main()
    except FacedistillError as error:
        sys.exit(f"error: {error}")
