"""Is a student better off with its teacher's own weights as its start?

Students that begin as dlib's net, whole, thinned or factorised, beside the same nets and the quickstart's from random
weights: the same people, pictures, steps and seeds. A started one learns dlib's embedding of the sharp face for the
degraded one (`recipes/teacher_start.yaml`); those from random weights learn as the quickstart's student does:
python benchmarks/starts.py --jobs 2
python benchmarks/starts.py --only started --seeds 0
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from facedistill.datasets.training_faces import TrainingFaces
from facedistill.export.info import net_info
from facedistill.recipe.files import read_recipe
from facedistill.teachers import load_teachers
from reporting import (
    INTERVALS,
    LOW,
    difference,
    draw,
    finished,
    percent,
    settings,
    settings_lines,
    summary,
    sweep_tables,
    table,
    write,
)
from running import TARGETS, TRAINING, Run, run_benchmark, run_script, sweeps_of, tests_of
from sizing import Sizes, options_parser, sized

NAME = "starts"
USUAL = Sizes(300, 12, 40, 20, 300, 0, 32, teacher_width=1.0, student_width=0.5)
FULL = Sizes(8000, 30, 1000, 200, 20_000, 0, 256, teacher_width=1.0, student_width=0.5)
RECIPES = Path(__file__).parents[1] / "recipes"
TEACHER = "dlib"
TITLES = {
    TEACHER: "dlib itself",
    "started": "dlib's net, started from its weights",
    "scratch": "dlib's net, from random weights",
    "started_thin": "thinned, started from dlib's weights",
    "scratch_thin": "as thin, from random weights",
    "started_factorised": "factorised, started from dlib's weights",
    "scratch_factorised": "factorised alike, from random weights",
    "quickstart": "the quickstart's net, from random weights",
}
PAIRS = (
    ("started", "scratch"),
    ("started_thin", "scratch_thin"),
    ("started_factorised", "scratch_factorised"),
    ("started", "quickstart"),
)
FACTORISED = 0.21875  # the width of `slim-m`


def main(arguments: list[str] | None = None) -> None:
    parser = options_parser(__doc__, NAME, USUAL, FULL)
    run_benchmark(parser, arguments, USUAL, FULL, table_rows, report)


def table_rows(options: argparse.Namespace, sizes: Sizes) -> dict[str, list[Run]]:
    """Row of the table -> its runs, one a seed; dlib, which is not trained, is a row with one run."""
    out, tests = options.out, tests_of(options)
    started, quickstart = (read_recipe(RECIPES / f"{name}.yaml") for name in ("teacher_start", "quickstart"))
    teacher = Run(sized(started, sizes, out / TEACHER, options), trains=False, tests=tests, extra=as_it_is)
    random = replace(quickstart, student=replace(started.student, start=None))
    factorised, random_factorised = (
        replace(recipe, student=replace(recipe.student, backbone="dliblowrank")) for recipe in (started, random)
    )
    recipes = {
        "started": (started, sizes.teacher_width),
        "scratch": (random, sizes.teacher_width),
        "started_thin": (started, sizes.student_width),
        "scratch_thin": (random, sizes.student_width),
        "started_factorised": (factorised, FACTORISED),
        "scratch_factorised": (random_factorised, FACTORISED),
        "quickstart": (quickstart, quickstart.student.width),
    }
    rows = {TEACHER: [teacher]}
    for name, (recipe, width) in recipes.items():
        rows[name] = []
        for seed in options.seeds:
            settings = sized(recipe, sizes, out / f"{name}-{seed}", options, seed)
            settings = replace(settings, student=replace(settings.student, width=width))
            rows[name].append(Run(settings, teacher.folder, after=(teacher.folder,), tests=tests))
    return rows


def as_it_is(run: Run, faces: TrainingFaces) -> dict[str, Any]:
    """The sweeps of the teacher itself, and its cost."""
    info = net_info("dlibresnet")
    cells = sweeps_of(run, faces, load_teachers(run.recipe.all_teachers).embed)
    return {"cells": cells, "parameters": info.parameters, "macs": info.macs}


def report(options: argparse.Namespace, sizes: Sizes, rows: Mapping[str, list[Run]]) -> None:
    """Writes what is finished as JSON, Markdown and a picture."""
    results = finished(rows)
    if not results:
        print("nothing is finished yet")
        return
    models = {name: summary(each) for name, each in results.items()}
    content: dict[str, Any] = settings(sizes, options.seeds) | {
        "models": models,
        "eer_differences": {
            f"{ours} - {theirs}": {
                f"{each}, {at}": difference(results[ours], results[theirs], each, at, "eer")
                for each in models[ours]["sets"]
                for at in ("native", LOW)
            }
            for ours, theirs in PAIRS
            if ours in results and theirs in results
        },
    }
    bars = {name: {"training": model["seconds"][TRAINING]["cpu"]} for name, model in models.items() if name != TEACHER}
    draw(options.results / f"{NAME}.png", models, TITLES, bars, "CPU seconds of training")
    write(options.results, NAME, content, markdown(content))


def markdown(content: Mapping[str, Any]) -> list[str]:
    models = content["models"]
    nets = [
        [
            TITLES[name],
            f"{model['parameters']:,}",
            f"{model['macs'] / 1e6:.0f}",
            f"{model['seconds'][TRAINING]['cpu']:.0f}" if name != TEACHER else "",
        ]
        for name, model in models.items()
    ]
    lines = [
        "# The teacher's weights as the student's start",
        "",
        "dlib's net was trained on real faces, which rendered people do not replace, but on no small ones. A student",
        "that begins as dlib's net, as its most used channels, or as the directions in which faces move its maps",
        "most (the width of slim-m), learns on rendered people dlib's embedding of the",
        "sharp face for the degraded one. The others begin with random weights and learn as the quickstart's student",
        "does, labels included. The same people, pictures, steps and seeds in each row.",
        "",
        f"![EER over rows, and CPU time of training]({NAME}.png)",
        "",
        INTERVALS,
        "",
        *sweep_tables(models, TITLES),
    ]
    if content["eer_differences"]:
        names = list(next(iter(content["eer_differences"].values())))
        differences = [
            [" against ".join(TITLES[name] for name in key.split(" - "))]
            + [percent(each[name], interval=True, signed=True) for name in names]
            for key, each in content["eer_differences"].items()
        ]
        lines += ["### Difference of the EER, seed by seed, points", "", *table(["", *names], differences)]
    lines += ["## The nets", "", *table(["", "parameters", "MMAC", "training, CPU s"], nets)]
    if TEACHER in models:
        spent = models[TEACHER]["seconds"][TARGETS]["cpu"]
        lines += [f"dlib's embeddings of all faces took {spent:.0f} CPU seconds, once for all rows.", ""]
    return [
        *lines,
        "## How",
        "",
        *settings_lines(content),
        "- Recipes: `recipes/teacher_start.yaml`, `recipes/quickstart.yaml`.",
    ]


if __name__ == "__main__":
    run_script(main)
