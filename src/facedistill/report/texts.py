"""How it was measured, in words."""

from collections.abc import Iterable, Mapping
from typing import Any

from facedistill.model_file import NATIVE
from facedistill.report.figures import TEACHER, Report

_SETTINGS = {  # keys of a summary's settings, in plain words
    "folder": "run folder",
    "train_identities": "people trained on",
    "train_pictures": "pictures trained on",
    "damaged_pictures": "pictures left out, which cannot be read",
    "steps": "training steps",
    "seed": "seed",
    "split_seed": "seed of the split by people",
    "recipe": "recipe",
    "recipe_digest": "digest of the recipe",
    "seconds": "seconds taken",
    "versions": "versions",
}


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


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(entry)}" for key, entry in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_plain(entry) for entry in value)
    return f"{value:,}".replace(",", " ") if isinstance(value, int) else str(value)
