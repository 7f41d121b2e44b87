"""Does a small classifier learn more from a larger one's softened scores than from labels alone, and at which T?

The general claim (Hinton et al. 2015) on an ordinary classifier: one teacher, and for each seed a student at each
temperature beside its controls, all from the same initial weights on the same pictures. Needs the extra `train`:
python benchmarks/general.py --json docs/results/general.json --markdown docs/results/general.md
"""

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from facedistill.classification import ClassLesson, measured, net_cost, open_class_lesson, train_and_test
from facedistill.files import write_text
from facedistill.recipe import HARD, LossTerm, Recipe
from facedistill.recipe_file import read_recipe
from facedistill.training.run_folder import versions
from facedistill.training.setup import build_task

TEMPERATURES = (1.0, 2.0, 4.0, 8.0)
TEACHER, CONTROL, STRONGER = "teacher", "student, labels alone", "student, labels alone, loss doubled"
HEADINGS = ("model", "accuracy, %", "against labels alone, points", "parameters", "MMAC")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", type=Path, default=Path(__file__).parents[1] / "recipes" / "classifier.yaml")
    parser.add_argument("--temperatures", type=float, nargs="+", default=TEMPERATURES)
    parser.add_argument("--seeds", type=int, default=10, help="students of each kind, at least 3 (default: 10)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    options = parser.parse_args()
    if options.seeds < 3:
        parser.error("--seeds must be at least 3: a spread of two says nothing")
    with tempfile.TemporaryDirectory() as folder:
        report = measure(read_recipe(options.recipe), options.temperatures, options.seeds, Path(folder))
    said = [f"--seeds {options.seeds}", f"--temperatures {' '.join(f'{t:g}' for t in options.temperatures)}"]
    report["command"] = " ".join(["python benchmarks/general.py", *said])
    show(report)
    if options.json:
        write_text(options.json, json.dumps(report, indent=1) + "\n")
    if options.markdown:
        write_text(options.markdown, markdown(report))


def measure(recipe: Recipe, temperatures: tuple[float, ...], seeds: int, folder: Path) -> dict[str, Any]:
    """Trains the teacher once, then every student with every seed; gives the report."""
    started = time.process_time()
    recipe = replace(recipe, workers=0, out=str(folder / "recipe"))  # the clock below counts this process alone
    lesson = open_class_lesson(recipe, folder / "teacher")
    assert lesson.teacher is not None, "the recipe distils"
    recipe = lesson.resolved(replace(recipe, control=False, search={}))
    hard, soft = recipe.losses[HARD], recipe.losses["soft"]
    students = {
        CONTROL: {HARD: hard},
        STRONGER: {HARD: replace(hard, weight=hard.weight + soft.weight)},
    }
    for t in temperatures:
        students[f"student, T = {t:g}"] = {HARD: hard, "soft": LossTerm(soft.weight, {"temperature": t})}
    models = {TEACHER: measured([lesson.held_out_accuracy(lesson.teacher)]) | net_cost(lesson.teacher)}
    for name, losses in students.items():
        models[name] = train_students(lesson, replace(recipe, losses=losses), seeds, folder / name)
    control = models[CONTROL]["accuracies"]
    for name in students:
        gains = [ours - theirs for ours, theirs in zip(models[name]["accuracies"], control, strict=True)]
        models[name] |= {"gain": statistics.fmean(gains), "gain_std": statistics.stdev(gains)}
    assert recipe.classification is not None, "the lesson is one of classes"
    parts = lesson.parts
    return {
        "models": models,
        "pictures": {
            "set": recipe.classification.pictures,
            "train": len(parts.train),
            "validation": len(parts.validation),
            "test": len(parts.held_out),
        },
        "seeds": list(range(recipe.seed, recipe.seed + seeds)),
        "split_seed": recipe.data.split_seed,
        "steps": recipe.steps,
        "cpu_seconds": round(time.process_time() - started, 1),
        "versions": versions(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }


def train_students(lesson: ClassLesson, recipe: Recipe, seeds: int, folder: Path) -> dict[str, Any]:
    runs = [
        replace(recipe, seed=seed, name=f"{folder.name}, seed {seed}", out=str(folder / str(seed)))
        for seed in range(recipe.seed, recipe.seed + seeds)
    ]
    net = build_task(recipe, lesson.pictures.classes)
    return measured([train_and_test(lesson, run) for run in runs]) | net_cost(net)


def rows(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The table's lines, in per cent and points."""
    lines: list[tuple[str, ...]] = []
    for name, model in report["models"].items():
        spread = "" if model["accuracy_std"] is None else f" ± {100 * model['accuracy_std']:.2f}"
        gain = f"{100 * model['gain']:+.2f} ± {100 * model['gain_std']:.2f}" if name not in (TEACHER, CONTROL) else ""
        size = (f"{model['parameters']:,}", f"{model['macs'] / 1e6:.2f}")
        lines.append((name, f"{100 * model['accuracy']:.2f}{spread}", gain, *size))
    return lines


def show(report: Mapping[str, Any]) -> None:
    table = Table(title="accuracy on pictures kept out, mean ± standard deviation over seeds")
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for row in rows(report):
        table.add_row(*row)
    Console().print(table)


def markdown(report: Mapping[str, Any]) -> str:
    parts, used = report["pictures"], ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    lines = [
        "# The general claim",
        "",
        "A larger net learns by labels; small ones learn from labels alone, or from labels and its softened scores at",
        "the temperature T (Hinton et al. 2015). Accuracy on pictures kept out, mean ± standard deviation over the",
        "seeds; beside it the difference to the student with the same seed that had labels alone, seed by seed. A",
        "student with a teacher has twice the loss, so the same net is also shown with its hard loss doubled.",
        "",
        f"| {' | '.join(HEADINGS)} |",
        "|---|" + "---:|" * (len(HEADINGS) - 1),
        *(f"| {' | '.join(row)} |" for row in rows(report)),
        "",
        f"- Pictures: `{parts['set']}`; {parts['train']} to train on, {parts['validation']} to choose checkpoints, "
        f"{parts['test']} to test; split seed {report['split_seed']}.",
        f"- Seeds {', '.join(map(str, report['seeds']))}; {report['steps']} steps a student; "
        f"{report['cpu_seconds']:g} CPU seconds in all on {report['machine']}, Python {report['python']}.",
        f"- {used}.",
        f"- Command: `{report['command']}`; the recipe is `recipes/classifier.yaml`.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
