"""The parts of the report page; a part without data is an empty text."""

from html import escape
from itertools import groupby

from facedistill.model_file import NATIVE
from facedistill.report.drawing import GLYPHS
from facedistill.report.figures import STUDENT, Report
from facedistill.report.markup import (
    calibration_table,
    fact_list,
    groups_table,
    pair_figure,
    part,
    prose,
    rates_table,
    side_by_side,
    tabs,
    thresholds_table,
)
from facedistill.report.plots import (
    det_plot,
    histogram_plot,
    pareto_plot,
    reliability_plot,
    resolution_plot,
    series_of,
    training_plot,
)
from facedistill.report.tables import key_resolution, resolution_title, rows


def legend(report: Report) -> str:
    """Each model with its colour and marker, and what it costs."""
    entries = []
    for model, series in zip(report.models, series_of(report.models), strict=True):
        known = [(model.measured["size_mb"], "{:.1f} MB"), (model.measured["latency_ms"], "{:.1f} ms a face")]
        costs = ", ".join(pattern.format(value) for value, pattern in known if value is not None)
        entries.append(
            f'<li class="c{series}"><span aria-hidden="true">{GLYPHS[series]}</span> '
            f"<b>{escape(model.title)}</b> <small>{costs}</small></li>"
        )
    return f'<ul class="legend">{"".join(entries)}</ul>'


def resolution_part(report: Report) -> str:
    """Accuracy and error rate against resolution."""
    bands = "Bands: 95&nbsp;% intervals over the people tested."
    if _seeds(report):
        bands += " Bars: one standard deviation over the seeds."
    better = {
        "accuracy": f"Higher is better. {bands}",
        "eer": "Lower is better: at the threshold where false matches and false rejections are equally frequent. "
        + bands,
    }
    panels = {
        title: f"<figure>{resolution_plot(report.models, metric)}"
        f"<figcaption><small>{better[metric]}</small></figcaption></figure>"
        for metric, title in (("accuracy", "accuracy"), ("eer", "error rate"))
    }
    return f'<div class="card plots">{tabs("metric", "what is drawn", panels)}{legend(report)}</div>'


def table_part(report: Report) -> str:
    """The figures of all models side by side."""
    one_side, both = (
        side_by_side(report.models, rows([model.measured for model in report.models], both)) for both in (False, True)
    )
    spread = " Behind \u00b1, the standard deviation over seeds." if _seeds(report) else ""
    return part(
        "figures",
        "The figures",
        "One picture of each pair is degraded to the height given, the other stays as it was. In brackets, the "
        f"95&nbsp;% intervals over the people tested.{spread}",
        f'<div class="card bare">{one_side}</div><details><summary>The same with both pictures degraded</summary>'
        f'<div class="card bare">{both}</div></details>',
    )


def trade_part(report: Report) -> str:
    """ROC and DET at each resolution."""
    scored = [model for model in report.models if model.scores]
    if not scored:
        return ""
    panels = {}
    for name in scored[0].scores:
        plots = "".join(f"<figure>{det_plot(report.models, name, kind)}</figure>" for kind in ("roc", "det"))
        panels[resolution_title(name)] = f'<div class="two">{plots}</div>{rates_table(scored, name)}'
    return part(
        "trade",
        "False matches against false rejections",
        "Left, ROC: the share of genuine pairs accepted (higher is better). Right, DET: the share rejected (lower is "
        "better; a line at the bottom rejects none). Bands: 95&nbsp;% intervals over the people tested. The lines "
        "begin where the test holds enough impostor pairs to show the rate.",
        f'<div class="card">{legend(report)}{tabs("trade-at", "height of the degraded face", panels)}</div>',
    )


def comparison_part(report: Report) -> str:
    """Whether the best student beats the others on the same pairs."""
    if not report.comparisons:
        return ""
    lists = []
    for name, tests in groupby(report.comparisons, key=lambda test: test.resolution):
        sentences = "".join(f"<li>{prose(test.sentence)}</li>" for test in tests)
        lists.append(f"<h3>{resolution_title(name)}</h3><ul>{sentences}</ul>")
    seeds = " Where figures are means over seeds, the first seed's model was compared." if _seeds(report) else ""
    return part(
        "tests",
        "Is the difference real?",
        "Both models on the same pairs, people drawn anew a thousand times or so; in brackets, the 95&nbsp;% interval "
        f"of the difference and the chance to see one as large by the choice of people alone.{seeds}",
        f'<div class="card verdicts">{"".join(lists)}</div>',
    )


def calibration_part(report: Report) -> str:
    """Whether the probabilities in the model files keep their word."""
    known = [model for model in report.models if any(one.reliability for one in model.scores.values())]
    if not known:
        return ""
    panels = {}
    for name, scores in known[0].scores.items():
        if scores.reliability:
            plot = f"<figure>{reliability_plot(report.models, name)}</figure>"
            panels[resolution_title(name)] = f'<div class="two">{plot}{calibration_table(known, name)}</div>'
    return part(
        "calibration",
        "Do the probabilities keep their word?",
        "Of the pairs to which a model gives 80&nbsp;%, eight in ten should show one person: the points should lie on "
        "the dotted line. Genuine and impostor pairs weigh alike; the probabilities were fitted on other people.",
        f'<div class="card">{tabs("calibration-at", "height of the degraded face", panels)}</div>',
    )


def groups_part(report: Report) -> str:
    """Errors by condition and by group of people."""
    panels = {
        f"{model.title}, {resolution_title(name)}": groups_table(figures)
        for model in sorted(report.models, key=lambda model: model.role != STUDENT)
        for name, figures in model.groups.items()
    }
    if not panels:
        return ""
    return part(
        "groups",
        "By condition and group",
        "What an average hides: errors of each group at one threshold for all. Where a group is a trait of people, "
        "impostor pairs are of two people of it. A group of too few people or pairs has its figures, but no interval "
        "and no part in a comparison.",
        f'<div class="card">{tabs("groups-of", "model and height of the degraded face", panels)}</div>',
    )


def score_part(report: Report) -> str:
    """Where the similarities lie."""
    scored = [
        (place, model, series)
        for place, (model, series) in enumerate(zip(report.models, series_of(report.models), strict=True))
        if model.scores
    ]
    if not scored:
        return ""
    panels = {}
    for name in scored[0][1].scores:
        figures = "".join(
            f'<figure><figcaption class="c{series}"><b>{escape(model.title)}</b></figcaption>'
            f"{histogram_plot(model, series, place, name)}</figure>"
            for place, model, series in scored
        )
        panels[resolution_title(name)] = f'<div class="many">{figures}</div>'
    return part(
        "scores",
        "Similarities",
        "Filled, pairs of the same person; outlined, of different people. The less they overlap, the better a "
        "threshold can part them.",
        f'<div class="card">{tabs("scores-at", "height of the degraded face", panels)}</div>',
    )


def pairs_part(report: Report) -> str:
    """The hardest pairs as pictures: of the students, or of every model of a single recipe."""
    students = [model for model in report.models if model.role == STUDENT and model.scores]
    shown = students if len(students) > 1 else [model for model in report.models[::-1] if model.scores]
    shown.sort(key=lambda model: model.role != STUDENT)
    panels = {}
    for model in shown:
        for name in dict.fromkeys((key_resolution(report.models[0].measured["sweep"]), NATIVE)):
            scores = model.scores[name]
            panels[f"{model.title}, {resolution_title(name)}"] = (
                "<h3>The same person, and yet unlike</h3>"
                f'<div class="pairs">{"".join(pair_figure(pair, name) for pair in scores.hardest_genuine)}</div>'
                "<h3>Different people, and yet alike</h3>"
                f'<div class="pairs">{"".join(pair_figure(pair, name) for pair in scores.hardest_impostors)}</div>'
            )
    if not panels:
        return ""
    return part(
        "pairs",
        "The hardest pairs",
        "As the model saw them: left the degraded picture, right the other; below, their similarity and names. "
        f"Each person, or two people, once. <strong>{prose(report.picture_rights)}</strong>",
        f'<div class="card">{tabs("pairs-of", "model and height of the degraded face", panels)}</div>',
    )


def pareto_part(report: Report) -> str:
    """Accuracy against time and size."""
    key = key_resolution(report.models[0].measured["sweep"])
    figures = [
        f"<figure>{pareto_plot(report.models, key, cost, unit)}</figure>"
        for cost, unit in (("latency_ms", "CPU milliseconds a face"), ("size_mb", "file size, MB"))
        if sum(model.measured[cost] is not None for model in report.models) > 1
    ]
    if not figures:
        return ""
    return part(
        "cost",
        "What accuracy costs",
        f"Accuracy at {resolution_title(key)}, one core. Up and to the left is better; no model lies above the dotted "
        "line. Bars: 95&nbsp;% intervals over the people tested.",
        f'<div class="card">{legend(report)}<div class="two">{"".join(figures)}</div></div>',
    )


def training_part(report: Report) -> str:
    """How the nets were trained."""
    panels = {}
    for place, curves in enumerate(report.training):
        figures = []
        for drawn, validation, what in (
            (curves.losses, False, "Loss terms, each as a share of its first value"),
            (curves.validation, True, "Error on people kept for choosing"),
        ):
            if drawn:
                keys = "".join(
                    f'<li class="c{(1 + number) % len(GLYPHS)} dash{number % 3}">{escape(name.replace("_", " "))}</li>'
                    for number, name in enumerate(drawn)
                )
                figures.append(
                    f'<figure><figcaption>{what}<ul class="keys">{keys}</ul></figcaption>'
                    f"{training_plot(curves, place, validation)}</figure>"
                )
        if figures:
            panels[curves.title] = f'<div class="two">{"".join(figures)}</div>'
    if not panels:
        return ""
    return part("training", "Training", "", f'<div class="card">{tabs("net", "net", panels)}</div>')


def cards_part(report: Report) -> str:
    """A card for each model."""
    parts = []
    for model, series in zip(report.models, series_of(report.models), strict=True):
        card = model.card
        against = "".join(f"<li>{prose(sentence)}</li>" for sentence in card.not_for)
        against = f"<h4>What it is not for</h4><ul>{against}</ul>" if against else ""
        parts.append(
            f'<details class="card" {"open" if model.role == STUDENT else ""}>'
            f'<summary><h3 class="c{series}">{escape(model.title)}</h3></summary>'
            f"<dl>{fact_list(card.facts.items())}</dl>{against}{thresholds_table(card.thresholds)}</details>"
        )
    return part("cards", "Model cards", "", "".join(parts))


def _seeds(report: Report) -> bool:
    return any(len(model.seeds) > 1 for model in report.models)
