"""Does a small classifier learn more from a larger one's softened scores than from labels alone, and at which T?

The general claim (Hinton et al. 2015) on an ordinary classifier: one teacher, and for each seed a student at each
temperature beside its controls, all from the same initial weights on the same pictures. Needs the extra `train`:
python benchmarks/general.py
"""

import argparse
import platform
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from facedistill.pipelines.classifier import measured, net_cost, train_and_test
from facedistill.pipelines.classifier_workload import ClassifierWorkload, open_classifier_workload
from facedistill.recipe import HARD, LossTerm, Recipe
from facedistill.recipe.files import read_recipe
from facedistill.training.build import build_task
from facedistill.training.run_folder import versions
from reporting import estimate_dict, percent, save, table, write

NAME = "general"
TEMPERATURES = (1.0, 2.0, 4.0, 8.0)
TEACHER, CONTROL, STRONGER = "teacher", "student, labels alone", "student, labels alone, loss doubled"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", type=Path, default=Path(__file__).parents[1] / "recipes" / "classifier.yaml")
    parser.add_argument("--temperatures", type=float, nargs="+", default=TEMPERATURES)
    parser.add_argument("--seeds", type=int, default=10, help="students of each kind, at least 3 (default: 10)")
    parser.add_argument("--results", type=Path, default=Path("docs/results"), help="where the report is written")
    options = parser.parse_args(arguments)
    if options.seeds < 3:
        parser.error("--seeds must be at least 3: two have no meaningful spread")
    with tempfile.TemporaryDirectory() as folder:
        report = measure(read_recipe(options.recipe), options.temperatures, options.seeds, Path(folder))
    given = [f"--seeds {options.seeds}", f"--temperatures {' '.join(f'{t:g}' for t in options.temperatures)}"]
    report["command"] = " ".join(["python benchmarks/general.py", *given])
    draw(options.results / f"{NAME}.png", report["models"])
    write(options.results, NAME, report, markdown(report))


def measure(recipe: Recipe, temperatures: tuple[float, ...], seeds: int, folder: Path) -> dict[str, Any]:
    """Trains the teacher once, then every student with every seed; returns the report."""
    started = time.process_time()
    recipe = replace(recipe, workers=0, out=str(folder / "recipe"))  # the clock below counts this process alone
    workload = open_classifier_workload(recipe, folder / "teacher")
    assert workload.teacher is not None, "the recipe distils"
    recipe = workload.resolved(replace(recipe, control=False, search={}))
    hard, soft = recipe.losses[HARD], recipe.losses["soft"]
    students = {
        CONTROL: {HARD: hard},
        STRONGER: {HARD: replace(hard, weight=hard.weight + soft.weight)},
    }
    for t in temperatures:
        students[f"student, T = {t:g}"] = {HARD: hard, "soft": LossTerm(soft.weight, {"temperature": t})}
    models = {TEACHER: measured([workload.held_out_accuracy(workload.teacher)]) | net_cost(workload.teacher)}
    for name, losses in students.items():
        models[name] = train_students(workload, replace(recipe, losses=losses), seeds, folder / name)
    control = models[CONTROL]["accuracies"]
    for name in students:
        gains = [ours - theirs for ours, theirs in zip(models[name]["accuracies"], control, strict=True)]
        models[name] |= {"against_control": estimate_dict(gains)}
    assert recipe.classification is not None, "the recipe is of a classifier"
    parts = workload.parts
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


def train_students(workload: ClassifierWorkload, recipe: Recipe, seeds: int, folder: Path) -> dict[str, Any]:
    runs = [
        replace(recipe, seed=seed, name=f"{folder.name}, seed {seed}", out=str(folder / str(seed)))
        for seed in range(recipe.seed, recipe.seed + seeds)
    ]
    net = build_task(recipe, workload.pictures.classes)
    return measured([train_and_test(workload, run) for run in runs]) | net_cost(net)


def draw(path: Path, models: Mapping[str, Any]) -> None:
    """A bar for each model, its accuracy over seeds."""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(7, 3), layout="constrained")
    axis = drawing.subplots()
    accuracies = [estimate_dict(model["accuracies"]) for model in models.values()]
    colours = ["C7" if name == TEACHER else "C1" if name in (CONTROL, STRONGER) else "C0" for name in models]
    errors = [100 * (each["std"] or 0) for each in accuracies]
    axis.barh(list(models), [100 * each["mean"] for each in accuracies], xerr=errors, color=colours, capsize=3)
    axis.invert_yaxis()
    lowest = min(100 * each["mean"] - error for each, error in zip(accuracies, errors, strict=True))
    axis.set(xlabel="accuracy on pictures kept out, % (± std over seeds)", xlim=(0.9 * lowest, None))
    axis.grid(axis="x", alpha=0.3)
    save(drawing, path)


def markdown(report: Mapping[str, Any]) -> list[str]:
    parts, used = report["pictures"], ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    rows = [
        [
            name,
            percent(estimate_dict(model["accuracies"]), interval=True),
            "" if name in (TEACHER, CONTROL) else percent(model["against_control"], interval=True, signed=True),
            f"{model['parameters']:,}",
            f"{model['macs'] / 1e6:.2f}",
        ]
        for name, model in report["models"].items()
    ]
    return [
        "# The general claim",
        "",
        "A larger net learns by labels; small ones learn from labels alone, or from labels and its softened scores at",
        "the temperature T (Hinton et al. 2015). Accuracy on pictures kept out; beside it the difference to the",
        "student with the same seed that had labels alone, seed by seed. A student with a teacher has twice the loss,",
        "so the same net is also shown with its hard loss doubled.",
        "",
        f"![Accuracy of each student]({NAME}.png)",
        "",
        "± is the standard deviation over seeds; [ ] is the 95 % t-interval of the mean over seeds.",
        "",
        *table(["model", "accuracy, %", "against labels alone, points", "parameters", "MMAC"], rows),
        f"- Pictures: `{parts['set']}`; {parts['train']} to train on, {parts['validation']} to choose checkpoints, "
        f"{parts['test']} to test; split seed {report['split_seed']}.",
        f"- Seeds {', '.join(map(str, report['seeds']))}; {report['steps']} steps a student; "
        f"{report['cpu_seconds']:g} CPU seconds in all on {report['machine']}, Python {report['python']}.",
        f"- {used}.",
        f"- Command: `{report['command']}`; the recipe is `recipes/classifier.yaml`.",
    ]


if __name__ == "__main__":
    main()
