"""A whole run of image classifiers: labels train a teacher, which trains a student; beside it stands the control."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.table import Table

from facedistill.backbones import count_macs, count_parameters
from facedistill.files import sole_writer, write_text
from facedistill.pipelines.classifier_workload import ClassifierWorkload, open_classifier_workload, restore, section
from facedistill.pipelines.finished_run import SUMMARY, read_summary
from facedistill.recipe import ClassificationRecipe, Recipe
from facedistill.recipe.validate import validate
from facedistill.report.figures import CONTROL, STUDENT, TEACHER, TITLES
from facedistill.training import train
from facedistill.training.build import build_task
from facedistill.training.run_folder import open_run_folder, versions
from facedistill.training.task import Task

MODEL = "student.onnx"


def run_classifier(recipe: Recipe) -> dict[str, Any]:
    """Trains the teacher, then student and control with each seed; a finished run is only read.

    Args:
        recipe: With a section `classification`; with `hard` alone, there is neither teacher nor control.

    Returns:
        The summary that stands in `summary.json`: model -> mean and standard deviation of its accuracy on the pictures
        kept out, and what it costs. The first seed's student is written to `student.onnx`.

    Raises:
        UsageError: The recipe cannot work, or another process works in its folder.
        FacedistillError: See `fit`.
    """
    settings = section(recipe)
    validate(recipe)
    with sole_writer(recipe.folder):
        folder = open_run_folder(recipe)
        if not (folder / SUMMARY).exists():
            summary = _train_and_test_all(recipe, settings, folder)
            write_text(folder / SUMMARY, json.dumps(summary, indent=1) + "\n")
        return read_summary(folder)


def _train_and_test_all(recipe: Recipe, settings: ClassificationRecipe, folder: Path) -> dict[str, Any]:
    """The teacher, then each role with each seed; gives the run's summary."""
    workload = open_classifier_workload(recipe, folder / TEACHER)
    recipe = workload.resolved(recipe)
    seeds = range(recipe.seed, recipe.seed + settings.seeds)
    roles = {STUDENT: recipe} | ({CONTROL: recipe.labels_only()} if recipe.distils and recipe.control else {})
    models: dict[str, dict[str, Any]] = {}
    if workload.teacher is not None:
        models[TEACHER] = measured([workload.held_out_accuracy(workload.teacher)]) | net_cost(workload.teacher)
    for role, net in roles.items():
        runs = [
            replace(net, seed=seed, name=f"{recipe.name}-{role}-{seed}", out=str(folder / role / str(seed)))
            for seed in seeds
        ]
        models[role] = measured([train_and_test(workload, run) for run in runs])
        models[role] |= net_cost(build_task(net, workload.pictures.classes))
        if role == STUDENT:
            workload.write_best(runs[0], folder / MODEL)
            models[role]["size_mb"] = (folder / MODEL).stat().st_size / 1e6
    parts = workload.parts
    return {
        "name": recipe.name,
        "test": {"set": settings.pictures, "classes": len(parts.names), "pictures": len(parts.held_out)},
        "models": models,
        "settings": {
            "seeds": list(seeds),
            "split_seed": recipe.data.split_seed,
            "recipe_digest": recipe.digest,
            "versions": versions(),
            "train_pictures": len(parts.train),
            "validation_pictures": len(parts.validation),
            "damaged_pictures": parts.damaged,
            "steps": recipe.steps,
        },
    }


def train_and_test(workload: ClassifierWorkload, recipe: Recipe) -> float:
    """Trains one net in its recipe's folder; gives its accuracy on the pictures kept out."""
    classes = workload.pictures.classes
    train(workload, recipe, build_task(recipe, classes))
    return workload.held_out_accuracy(restore(recipe, classes))


def measured(accuracies: Sequence[float]) -> dict[str, Any]:
    """Mean and sample standard deviation over the seeds; one seed has no deviation."""
    return {
        "accuracy": statistics.fmean(accuracies),
        "accuracy_std": statistics.stdev(accuracies) if len(accuracies) > 1 else None,
        "accuracies": list(accuracies),
    }


def net_cost(task: Task) -> dict[str, int]:
    """Weights of a net with its head, and multiply-accumulates for one picture, the head's included."""
    head = sum(weight.numel() for weight in task.head.parameters() if weight.ndim > 1)
    return {"parameters": count_parameters(task), "macs": count_macs(task.backbone) + head}


def classes_table(summary: Mapping[str, Any]) -> Table:
    """The models of a summary side by side."""
    test, settings = summary["test"], summary["settings"]
    title = f"{test['set']}: accuracy on {test['pictures']} pictures kept out, {test['classes']} classes"
    table = Table(title=title, caption=f"mean and standard deviation over {len(settings['seeds'])} seeds")
    for heading in ("model", "accuracy, %", "parameters", "MMAC", "MB"):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for name, model in summary["models"].items():
        spread = "" if model["accuracy_std"] is None else f" +- {100 * model['accuracy_std']:.2f}"
        table.add_row(
            TITLES[name],
            f"{100 * model['accuracy']:.2f}{spread}",
            f"{model['parameters']:,}",
            f"{model['macs'] / 1e6:.2f}",
            f"{model['size_mb']:.3f}" if "size_mb" in model else "",
        )
    return table
