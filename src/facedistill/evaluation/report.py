"""The report of an experiment: one HTML page that a newcomer understands, readable without a network."""

from collections.abc import Iterable, Mapping
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from facedistill.evaluation.page import PAGE
from facedistill.evaluation.plots import resolution_plot
from facedistill.evaluation.tables import (
    TITLES,
    Row,
    markdown_table,
    models_in,
    resolutions_in,
    rows,
    summary_table,
    sweep_table,
)
from facedistill.files import write_text
from facedistill.model_file import NATIVE

__all__ = ["markdown_table", "summary_table", "sweep_table", "write_report"]

_KEY_RESOLUTION = "16"
_MARKERS = {"teacher": "\u25a0", "student": "\u25cf", "control": "\u25b2"}  # square, disc, triangle, as plotted
_SETTINGS = {  # keys of a summary's settings, in plain words
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


def write_report(path: Path, summary: Mapping[str, Any]) -> None:
    """Writes the report page, self-contained and whole or not at all.

    Args:
        path: The HTML file.
        summary: {"name", "test": {"set", "identities", "pictures", "note"}, "models": {"teacher", "student",
            "control"}, "settings": {"seed", "recipe", "versions", ...}}; a model is {"name", "size_mb", "parameters",
            "macs", "latency_ms", "sweep"}, its sweep as `evaluation.sweep` gives it. Teacher and control may be
            missing; sizes, costs and the numbers of people and pictures may be None.

    Raises:
        UsageError: matplotlib is not installed, or the models are of other names.
        FacedistillError: The file cannot be written.
    """
    key = _key_resolution(summary)
    write_text(
        path,
        PAGE.substitute(
            title=escape(f"{summary['name']}: report"),
            headline=_prose(_headline(summary, key)),
            lead=_prose(" ".join(_lead(summary, key))),
            legend="".join(_legend_entry(name, summary["models"][name]) for name in models_in(summary)),
            accuracy_plot=resolution_plot(summary, "accuracy", "Accuracy against the height of the degraded face"),
            eer_plot=resolution_plot(summary, "eer", "Equal error rate against the height of the degraded face"),
            table=_html_table(summary, rows(summary)),
            both_table=_html_table(summary, rows(summary, both=True)),
            measured=_measured(summary),
            limits="".join(f"<li>{_prose(limit)}</li>" for limit in _limits(summary)),
        ),
    )


def _key_resolution(summary: Mapping[str, Any]) -> str:
    """16 rows where it was measured, else the smallest."""
    known = resolutions_in(summary)
    return _KEY_RESOLUTION if _KEY_RESOLUTION in known else known[-1]


def _headline(summary: Mapping[str, Any], key: str) -> str:
    model = summary["models"]["student"]
    accuracy = model["sweep"][key]["accuracy"]
    size = "" if model["size_mb"] is None else f"{model['size_mb']:.1f} MB "
    seen = "at native size" if key == NATIVE else f"on faces {key} pixels high"
    return f"The {size}student is right in {100 * accuracy:.1f} % of the cases {seen}"


def _lead(summary: Mapping[str, Any], key: str) -> Iterable[str]:
    """What the headline means, and how the student stands to its teacher and to itself without one."""
    models = summary["models"]
    seen = "" if key == NATIVE else f", one of them shrunk until the face is {key} pixels high"
    yield f"It is shown two pictures{seen}, and says whether they show the same person."
    yield "A guess would be right in 50 % of the cases."
    student = models["student"]["sweep"][key]
    for name, subject in (("teacher", "Its teacher"), ("control", "The same net, trained without a teacher,")):
        if name in models:
            yield f"{subject} is right in {100 * models[name]['sweep'][key]['accuracy']:.1f} %."
    if "control" in models:
        yield _verdict(student, models["control"]["sweep"][key])


def _verdict(student: Mapping[str, Any], control: Mapping[str, Any]) -> str:
    gain = 100 * (student["accuracy"] - control["accuracy"])
    word = "gains" if gain > 0 else "loses"
    text = f"So the teacher's lesson {word} {abs(gain):.1f} points"
    if "accuracy" not in student["ci"] or "accuracy" not in control["ci"]:
        return f"{text}."
    (low, high), (control_low, control_high) = student["ci"]["accuracy"], control["ci"]["accuracy"]
    if low <= control_high and control_low <= high:
        return f"{text}, which is within the uncertainty of this test (the 95 % intervals overlap)."
    return f"{text}, more than the uncertainty of this test (the 95 % intervals do not overlap)."


def _prose(text: str) -> str:
    """Escaped text whose figures stay on one line with their per cent sign."""
    return escape(text).replace(" %", "&nbsp;%")


def _legend_entry(name: str, model: Mapping[str, Any]) -> str:
    title, cost = escape(TITLES[name]), escape(_cost(model))
    return f'<li class="{name}" data-marker="{_MARKERS[name]}">{title} <small>{cost}</small></li>'


def _cost(model: Mapping[str, Any]) -> str:
    known = [(model["size_mb"], "{:.1f} MB"), (model["latency_ms"], "{:.1f} ms a face")]
    return ", ".join(pattern.format(value) for value, pattern in known if value is not None)


def _html_table(summary: Mapping[str, Any], lines: Iterable[Row]) -> str:
    heads = "".join(f'<th scope="col" class="{name}">{escape(TITLES[name])}</th>' for name in models_in(summary))
    names = models_in(summary)
    parts = [f"<table><thead><tr><td></td>{heads}</tr></thead>"]
    for section, group in groupby(lines, key=lambda row: row.section):
        parts.append(f'<tbody><tr><th scope="rowgroup" colspan="{len(names) + 1}">{escape(section)}</th></tr>')
        for row in group:
            cells = "".join(
                f'<td class="{name}">{_with_small_interval(value)}</td>'
                for name, value in zip(names, row.values, strict=True)
            )
            parts.append(f'<tr><th scope="row">{escape(row.title)}</th>{cells}</tr>')
        parts.append("</tbody>")
    return "".join([*parts, "</table>"])


def _with_small_interval(value: str) -> str:
    figure, bracket, rest = value.partition(" (")
    return escape(figure) + (f" <small>({escape(rest)}</small>" if bracket else "")


def _measured(summary: Mapping[str, Any]) -> str:
    test, settings = summary["test"], dict(summary["settings"])
    lost = summary["models"]["student"]["sweep"][NATIVE]["fte"]
    facts = {
        "tested on": test["set"] + (f" ({test['note']})" if test["note"] else ""),
        "people tested": test["identities"],
        "pictures tested": test["pictures"],
        "left out: no face found, or unreadable": f"{100 * lost:.1f} %",
    }
    facts |= {_SETTINGS.get(key, key.replace("_", " ")): settings[key] for key in _ordered(settings)}
    verb = "distill" if "teacher" in summary["models"] else "train"
    facts["command"] = f"facedistill {verb} {settings['recipe']}" if "recipe" in settings else None
    return "".join(
        f"<dt>{escape(title)}</dt><dd>{escape(_plain(value))}</dd>"
        for title, value in facts.items()
        if value is not None
    )


def _ordered(settings: Mapping[str, Any]) -> list[str]:
    known = [key for key in _SETTINGS if key in settings]
    return known + [key for key in settings if key not in _SETTINGS]


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(entry)}" for key, entry in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_plain(entry) for entry in value)
    return f"{value:,}".replace(",", " ") if isinstance(value, int) else str(value)


def _limits(summary: Mapping[str, Any]) -> Iterable[str]:
    people = summary["test"]["identities"]
    if people is not None:
        yield (
            f"{people} people are a small sample: the bands "
            "show what other people drawn from the same set would change, not what another kind would."
        )
    yield (
        "One training run of each net stands behind the figures; another seed moves them too, and no band shows that."
    )
    yield (
        "Low resolution is made by shrinking good pictures, after the face was found and aligned at full size. "
        "A far or shaking camera adds noise and blur, and its faces are harder to find and to align."
    )
    yield (
        "Pictures of one set share room, light and time; part of what is recognised may be hair and background. "
        "Try the net on your own pictures before you rely on it."
    )
    yield "The test says nothing of differences between groups of people, of masks, of ageing, or of deliberate deceit."
    yield "Times are of one machine; ratios travel to another one better than milliseconds do."
