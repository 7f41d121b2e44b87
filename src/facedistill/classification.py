"""An image classifier's whole run: a larger net learns, then teaches a student beside its control."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich.table import Table

from facedistill.backbones import count_macs, count_parameters
from facedistill.class_lesson import ClassifierWorkload, open_classifier_workload, restore, section
from facedistill.files import sole_writer, write_text
from facedistill.recipe import Recipe
from facedistill.runs import SUMMARY, read_summary
from facedistill.training import train
from facedistill.training.run_folder import open_run_folder, versions
from facedistill.training.setup import build_task, check_names
from facedistill.training.task import Task

STUDENT, CONTROL, TEACHER = "student", "control", "teacher"
MODEL = "student.onnx"

_TITLES = {TEACHER: "teacher", STUDENT: "student", CONTROL: "student without a teacher"}


def run_classification(recipe: Recipe) -> dict[str, Any]:
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
    section(recipe)
    check_names(recipe)
    with sole_writer(recipe.folder):
        return _finish(recipe)


def _finish(recipe: Recipe) -> dict[str, Any]:
    """What of `run_classification` is done in the run folder."""
    said = section(recipe)
    folder = open_run_folder(recipe)
    if (folder / SUMMARY).exists():
        return read_summary(folder)
    lesson = open_classifier_workload(recipe, folder / TEACHER)
    recipe = lesson.resolved(recipe)
    roles = {STUDENT: recipe} | ({CONTROL: recipe.labels_only()} if recipe.distils and recipe.control else {})
    models: dict[str, dict[str, Any]] = {}
    if lesson.teacher is not None:
        models[TEACHER] = measured([lesson.held_out_accuracy(lesson.teacher)]) | net_cost(lesson.teacher)
    for role, net in roles.items():
        runs = [
            replace(net, seed=seed, name=f"{recipe.name}-{role}-{seed}", out=str(folder / role / str(seed)))
            for seed in range(recipe.seed, recipe.seed + said.seeds)
        ]
        models[role] = measured([train_and_test(lesson, run) for run in runs])
        models[role] |= net_cost(build_task(net, lesson.pictures.classes))
        if role == STUDENT:
            lesson.write_best(runs[0], folder / MODEL)
            models[role]["size_mb"] = (folder / MODEL).stat().st_size / 1e6
    summary = {
        "name": recipe.name,
        "test": {"set": said.pictures, "classes": len(lesson.parts.names), "pictures": len(lesson.parts.held_out)},
        "models": models,
        "settings": {
            "seeds": list(range(recipe.seed, recipe.seed + said.seeds)),
            "split_seed": recipe.data.split_seed,
            "recipe_digest": recipe.digest,
            "versions": versions(),
            "train_pictures": len(lesson.parts.train),
            "validation_pictures": len(lesson.parts.validation),
            "damaged_pictures": lesson.parts.damaged,
            "steps": recipe.steps,
        },
    }
    write_text(folder / SUMMARY, json.dumps(summary, indent=1) + "\n")
    return summary


def train_and_test(lesson: ClassifierWorkload, recipe: Recipe) -> float:
    """Trains one net in its recipe's folder; gives its accuracy on the pictures kept out."""
    classes = lesson.pictures.classes
    train(lesson, recipe, build_task(recipe, classes))
    return lesson.held_out_accuracy(restore(recipe, classes))


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
            _TITLES[name],
            f"{100 * model['accuracy']:.2f}{spread}",
            f"{model['parameters']:,}",
            f"{model['macs'] / 1e6:.2f}",
            f"{model['size_mb']:.3f}" if "size_mb" in model else "",
        )
    return table
