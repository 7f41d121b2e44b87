"""The report's sentences: headline, lead, and how it was measured."""

from collections.abc import Iterable, Mapping
from typing import Any

from facedistill.model_file import NATIVE
from facedistill.report.figures import CONTROL, STUDENT, TEACHER, Model, Report
from facedistill.report.gather import best_student
from facedistill.report.tables import key_resolution

_SETTINGS = {  # keys of a summary's settings, in plain words
    "folder": "run folder",
    "train_identities": "people trained on",
    "train_pictures": "pictures trained on",
    "steps": "training steps",
    "seed": "seed",
    "split_seed": "seed of the split by people",
    "recipe": "recipe",
    "recipe_digest": "digest of the recipe",
    "seconds": "seconds taken",
    "versions": "versions",
}


def headline(report: Report) -> str:
    """The one figure that a reader takes along."""
    key = key_resolution(report.models[0].measured["sweep"])
    best = best_student(report.models, key)
    size = "" if best.measured["size_mb"] is None else f"{best.measured['size_mb']:.1f} MB "
    seen = "at native size" if key == NATIVE else f"on faces {key} pixels high"
    students = _of_role(report, STUDENT)
    who = f"The {size}student" if len(students) == 1 else f"{best.title}, the best of {len(students)} students,"
    return f"{who} is right in {_accuracy(best, key)} of the cases {seen}"


def lead(report: Report) -> Iterable[str]:
    """What the headline means, and how the students stand to their teacher and to themselves without one."""
    key = key_resolution(report.models[0].measured["sweep"])
    seen = "" if key == NATIVE else f", one of them shrunk until the face is {key} pixels high"
    yield f"It is shown two pictures{seen}, and says whether they show the same person."
    yield "A guess would be right in 50 % of the cases."
    teachers, students, controls = (_of_role(report, role) for role in (TEACHER, STUDENT, CONTROL))
    if len(students) > 1:
        others = [model for model in report.models if model is not best_student(report.models, key)]
        yield "The others: " + ", ".join(f"{model.title} {_accuracy(model, key)}" for model in others) + "."
        return
    for models, subject in ((teachers, "Its teacher"), (controls, "The same net, trained without a teacher,")):
        for model in models:
            yield f"{subject} is right in {_accuracy(model, key)}."
    for control in controls:
        yield _verdict(report, students[0], control, key)
    if len(students[0].seeds) > 1:
        yield f"All figures are means over {len(students[0].seeds)} seeds."


def measured(report: Report) -> Iterable[tuple[str, str]]:
    """On whom it was measured, and then each run's settings."""
    test = report.test
    lost = report.models[-1].measured["sweep"][NATIVE]["fte"]
    facts = {
        "tested on": test["set"] + (f" ({test['note']})" if test.get("note") else ""),
        "people tested": test["identities"],
        "pictures tested": test.get("pictures"),
        "left out: no face found, or unreadable": f"{100 * lost:.1f} %",
    }
    for title, value in facts.items():
        if value is not None:
            yield title, _plain(value)
    for settings in report.settings:
        known = [key for key in _SETTINGS if key in settings]
        for key in known + [key for key in settings if key not in _SETTINGS]:
            yield _SETTINGS.get(key, key.replace("_", " ")), _plain(settings[key])
        if "recipe" in settings:
            verb = "distill" if any(model.role == TEACHER for model in report.models) else "train"
            yield "command", f"facedistill {verb} {settings['recipe']}"


def _verdict(report: Report, student: Model, control: Model, key: str) -> str:
    gain = 100 * (student.measured["sweep"][key]["accuracy"] - control.measured["sweep"][key]["accuracy"])
    text = f"So distillation {'gains' if gain > 0 else 'loses'} {abs(gain):.1f} points"
    tested = [test for test in report.comparisons if test.resolution == key and test.b.startswith(control.title)]
    if not tested:
        return f"{text}."
    if tested[0].comparison.significant:
        return f"{text}, more than the choice of people explains (paired test, 95 %)."
    return f"{text}, which the choice of people may explain as well (paired test, 95 %)."


def _of_role(report: Report, role: str) -> list[Model]:
    return [model for model in report.models if model.role == role]


def _accuracy(model: Model, key: str) -> str:
    return f"{100 * model.measured['sweep'][key]['accuracy']:.1f} %"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(entry)}" for key, entry in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_plain(entry) for entry in value)
    return f"{value:,}".replace(",", " ") if isinstance(value, int) else str(value)
