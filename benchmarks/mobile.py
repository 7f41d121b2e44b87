"""How small a net still recognises people as its teacher does, and what squeeze-and-excitation and fewer bits do to it?

The claim of Wei et al. (2019): squeeze-and-excitation on both nets, on neither, on one; beside each student the same
net without a teacher; every student as a file of 32, 16 and 8 bits; and smaller ones until one falls too far behind:
python benchmarks/mobile.py --jobs 2
python benchmarks/mobile.py --only both student_only --seeds 0
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bits import BITS, write_files
from facedistill.backbones import load_backbone
from facedistill.datasets.training_faces import TrainingFaces
from facedistill.model_file import NATIVE
from facedistill.recipe.files import read_recipe
from facedistill.runtime import Recognizer
from facedistill.training import BEST
from reporting import (
    INTERVALS,
    SET_NAMES,
    difference,
    draw,
    estimate_dict,
    finished,
    percent,
    settings,
    settings_lines,
    summary,
    sweep_tables,
    table,
    write,
)
from running import TARGETS_FOLDER, Run, run_benchmark, run_script, sweeps_of, tests_of
from sizing import Sizes, options_parser, sized, sized_teacher

NAME = "mobile"
USUAL = Sizes(300, 12, 40, 20, 600, 600, 64, teacher_width=0.5, student_width=0.125)
FULL = Sizes(8000, 30, 1000, 200, 20_000, 20_000, 256, teacher_width=1.0, student_width=0.125)
RECIPE = Path(__file__).parents[1] / "recipes" / "mobile_se.yaml"
TEACHER_NET = "resnet36"
SMALLER = ("resnet20:0.09375", "resnet20:0.0625", "slim:0.375", "slim:0.25", "slim:0.125")
LARGEST_MB, LARGEST_LOSS = 3.22, 0.003
ALONE = "-alone"  # the same student without a teacher
# Row -> whether the teacher and the student have squeeze-and-excitation.
PLACES = {"both": (True, True), "neither": (False, False), "teacher_only": (True, False), "student_only": (False, True)}
TITLES = {
    "teacher-se": "teacher with SE",
    "teacher-plain": "teacher without SE",
    "both": "SE on both",
    "neither": "SE on neither",
    "teacher_only": "SE on the teacher alone",
    "student_only": "SE on the student alone",
    f"se{ALONE}": "student with SE, no teacher",
    f"plain{ALONE}": "student without SE, no teacher",
}
CALIBRATION_FACES = 128


def main(arguments: list[str] | None = None) -> None:
    parser = options_parser(__doc__, NAME, USUAL, FULL)
    parser.add_argument("--smaller", nargs="*", default=SMALLER, metavar="NET:WIDTH", help="with SE on both")
    run_benchmark(parser, arguments, USUAL, FULL, table_rows, report)


def table_rows(options: argparse.Namespace, sizes: Sizes) -> dict[str, list[Run]]:
    """Row of the table -> its runs, one a seed; the teachers and their targets are rows with one run."""
    out, tests = options.out, tests_of(options)
    base = read_recipe(RECIPE)
    rows: dict[str, list[Run]] = {}
    targets: dict[bool, Run] = {}
    for se, name in ((True, "se"), (False, "plain")):
        trained = sized_teacher(base, sizes, out / f"teacher-{name}", options)
        large = replace(trained.student, backbone=TEACHER_NET, se=se)
        teacher = Run(replace(trained, student=large), tests=tests)
        recipe = sized(base, sizes, out / f"{TARGETS_FOLDER}-{name}", options)
        recipe = replace(recipe, teacher=replace(base.teacher, spec=str(teacher.folder / BEST)))
        targets[se] = Run(recipe, trains=False, after=(teacher.folder,))
        rows |= {teacher.folder.name: [teacher], f"targets-{name}": [targets[se]]}

    def students(row: str, net: str, width: float, se: bool, source: Run | None) -> list[Run]:
        runs = []
        for seed in options.seeds:
            recipe = sized(base, sizes, out / f"{row.replace(':', '-')}-{seed}", options, seed)
            recipe = replace(recipe, student=replace(recipe.student, backbone=net, width=width, se=se))
            if source is None:
                runs.append(Run(recipe.labels_only(), tests=tests))
            else:
                recipe = replace(recipe, teacher=source.recipe.teacher)
                runs.append(Run(recipe, source.folder, after=(source.folder,), tests=tests, extra=in_few_bits))
        return runs

    own = base.student.backbone
    for name, (teachers, student) in PLACES.items():
        rows[name] = students(name, own, sizes.student_width, student, targets[teachers])
    for se, name in ((True, "se"), (False, "plain")):
        rows[name + ALONE] = students(name + ALONE, own, sizes.student_width, se, None)
    for row in options.smaller:
        net, _colon, width = row.partition(":")
        rows[row] = students(row, net, float(width), True, targets[True])
        rows[row + ALONE] = students(row + ALONE, net, float(width), True, None)
    return rows


def in_few_bits(run: Run, faces: TrainingFaces) -> dict[str, Any]:
    """The size of each file of a student, and the sweeps of the file itself."""
    chosen = np.random.default_rng(0).permutation(len(faces.train))[:CALIBRATION_FACES]
    crops = np.stack([faces.train[int(index)].image for index in chosen])
    paths = write_files(load_backbone(run.folder / BEST), run.folder, "student", crops)
    return {
        "files": {
            str(bits): {"size_mb": path.stat().st_size / 1e6, "cells": sweeps_of(run, faces, Recognizer(path).embed)}
            for bits, path in paths.items()
        }
    }


def report(options: argparse.Namespace, sizes: Sizes, rows: Mapping[str, list[Run]]) -> None:
    """Writes what is finished as JSON, Markdown and a picture."""
    results = finished({name: runs for name, runs in rows.items() if runs[0].trains})
    if not results:
        print("nothing is finished yet")
        return
    models = {name: summary(each) for name, each in results.items()}
    files = {name: file_figures(each) for name, each in results.items() if "files" in next(iter(each.values()))}
    sets = sets_of(models)
    below = {name: losses_of(name, results) for name in files}
    content: dict[str, Any] = settings(sizes, options.seeds) | {
        "models": models,
        "files": files,
        "below_teacher": below,
        "gain_over_alone": {
            name: {each: difference(results[name], results[other], each, NATIVE, "accuracy") for each in sets}
            for name in files
            if (other := alone(name)) in results
        },
    }
    titles = {name: TITLES.get(name, name.replace(":", " x ").replace(ALONE, ", no teacher")) for name in models}
    bars = {name: {"8 bits": of_bits["8"]["size_mb"]} for name, of_bits in files.items()}
    draw(options.results / f"{NAME}.png", models, titles, bars, "MB of the file at 8 bits")
    write(options.results, NAME, content, markdown(content, titles))


def sets_of(models: Mapping[str, Any]) -> list[str]:
    return list(next(iter(models.values()))["sets"])


def alone(name: str) -> str:
    """The row of the same student without a teacher."""
    return (("se" if PLACES[name][1] else "plain") if name in PLACES else name) + ALONE


def teacher_row(name: str) -> str:
    """The row of a student's teacher."""
    return "teacher-se" if PLACES.get(name, (True,))[0] else "teacher-plain"


def file_figures(results: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Bits -> size, and test set -> rows -> accuracy and EER of the files over seeds."""
    by_seed = [results[seed]["files"] for seed in sorted(results)]
    return {
        str(bits): {
            "size_mb": by_seed[0][str(bits)]["size_mb"],
            "sets": {
                name: {
                    measure: {
                        at: estimate_dict([each[str(bits)]["cells"][name][at][measure] for each in by_seed])
                        for at in (NATIVE, "16")
                    }
                    for measure in ("accuracy", "eer")
                }
                for name in by_seed[0][str(bits)]["cells"]
            },
        }
        for bits in BITS
    }


def losses_of(name: str, results: Mapping[str, Any]) -> dict[str, Any]:
    """Bits -> test set -> the teacher's accuracy minus that of the student's file, at native resolution."""
    teacher = results[teacher_row(name)][0]["cells"]
    return {
        str(bits): {
            each: estimate_dict(
                [
                    teacher[each][NATIVE]["accuracy"] - result["files"][str(bits)]["cells"][each][NATIVE]["accuracy"]
                    for result in results[name].values()
                ]
            )
            for each in teacher
        }
        for bits in BITS
    }


def verdict(content: Mapping[str, Any], titles: Mapping[str, str]) -> list[str]:
    """Which files reach the goal beside each teacher, and the smallest of them; the better teacher first."""
    goal = (
        f"The goal: a file under {LARGEST_MB} MB whose accuracy is at most {100 * LARGEST_LOSS:.1f} points below its "
        "teacher's on every test set, in the mean over seeds."
    )
    models = content["models"]
    teachers = sorted({teacher_row(name) for name in content["files"]}, key=lambda row: -native(models[row]))
    return [goal, "", *(beside(row, content, titles) for row in teachers), ""]


def beside(teacher: str, content: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """What the files of one teacher's students came to."""
    models = content["models"]
    worst = {
        (name, bits): max(loss["mean"] for loss in content["below_teacher"][name][bits].values())
        for name, files in content["files"].items()
        for bits in files
        if teacher_row(name) == teacher and files[bits]["size_mb"] < LARGEST_MB
    }
    sizes = {place: content["files"][place[0]][place[1]]["size_mb"] for place in worst}
    named = {place: f"{titles[place[0]]} at {place[1]} bits, {sizes[place]:.2f} MB" for place in worst}
    reached = [place for place in worst if worst[place] <= LARGEST_LOSS]
    if reached:
        every = "; ".join(named[place] for place in reached)
        line = f"reached by {every}. **The smallest: {named[min(reached, key=lambda place: sizes[place])]}.**"
    else:
        nearest = min(worst, key=lambda place: worst[place])
        line = f"not reached. The nearest: {named[nearest]}, {100 * worst[nearest]:.2f} points below on its worse set."
    better = [
        titles[name] for name in models if name.endswith(ALONE) and native(models[name]) > native(models[teacher])
    ]
    weak = f" A weak teacher: nets without one recognise people better ({'; '.join(better)})." if better else ""
    return f"- The {titles[teacher]}: {line}{weak}"


def native(model: Mapping[str, Any]) -> float:
    """Accuracy at native resolution, mean over the test sets."""
    return float(np.mean([each["accuracy"][NATIVE]["mean"] for each in model["sets"].values()]))


def markdown(content: Mapping[str, Any], titles: Mapping[str, str]) -> list[str]:
    models, sets = content["models"], sets_of(content["models"])
    lines = [
        "# The mobile claim",
        "",
        "A small net follows a large one's embedding and where its maps look, beside a margin loss (Wei et al.",
        "2019); squeeze-and-excitation (SE) on both nets, on neither, on one. The same pictures, steps and seeds in",
        "each row.",
        "",
        f"![EER over rows, and the size of the files]({NAME}.png)",
        "",
        INTERVALS,
        "",
    ]
    if content["files"]:
        file_rows = [
            [
                f"{titles[name]}, {bits} bits",
                f"{models[name]['parameters']:,}",
                f"{files[bits]['size_mb']:.2f}",
                *(percent(files[bits]["sets"][each]["accuracy"][at]) for each in sets for at in (NATIVE, "16")),
                *(percent(content["below_teacher"][name][bits][each], interval=True, signed=True) for each in sets),
            ]
            for name, files in content["files"].items()
            for bits in files
        ]
        headings = [f"accuracy, %: {each}, {at}" for each in sets for at in (NATIVE, "16")]
        losses = [f"below the teacher, points: {each}" for each in sets]
        lines += ["## The files", "", *verdict(content, titles)]
        lines += table(["student", "parameters", "MB", *headings, *losses], file_rows)
    if content["gain_over_alone"]:
        gains = [
            [titles[name], *(percent(gain[each], interval=True, signed=True) for each in sets)]
            for name, gain in content["gain_over_alone"].items()
        ]
        lines += ["## What the teacher gave: accuracy against the same student without one, points", ""]
        lines += table(["student", *(SET_NAMES[each] for each in sets)], gains)
    return [*lines, "## The nets", "", *sweep_tables(models, titles), "## How", "", *settings_lines(content)]


if __name__ == "__main__":
    run_script(main)
