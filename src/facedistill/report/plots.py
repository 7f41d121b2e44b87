"""The report's pictures: each is one `<svg>` element; models keep their colour and marker in all of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

import numpy as np

from facedistill.evaluation.sweep import BOTH, GALLERY_NATIVE, MATCHED
from facedistill.report.drawing import DASHES, INK, MARKERS, SERIES, drawing, svg
from facedistill.report.figures import TEACHER, Model, Training
from facedistill.report.tables import resolution_title, resolutions_of

if TYPE_CHECKING:
    from markupsafe import Markup

_WIDE, _SMALL = (5.6, 4.0), (4.4, 2.6)
_BARS = 45
_NAMES = {"accuracy": "Accuracy", "eer": "Equal error rate"}


def series_of(models: Sequence[Model]) -> list[int]:
    """Each model's place among colours and markers: 0 for teachers, the others 1, 2, ... and round again."""
    others = iter(range(len(models)))
    return [0 if model.role == TEACHER else 1 + next(others) % (len(SERIES) - 1) for model in models]


def resolution_plot(models: Sequence[Model], metric: str) -> "Markup":
    """A line per model over the resolutions, matched, with 95 % bands over people and bars over seeds.

    A thin dotted line beside it is the model's with the gallery native.

    Args:
        models: All over the same resolutions.
        metric: "accuracy" or "eer", drawn in per cent.
    """
    names = resolutions_of(models[0].measured["sweep"])
    places = range(len(names))
    with drawing(_WIDE, "height of the degraded face, pixels", 10) as (figure, axes):
        for model, style, dash in reversed(_styled(models)):  # the first named is drawn on top
            native = [100 * model.measured["sweep"][name][metric] for name in names]
            axes.plot(native, linestyle=":", linewidth=1.2, color=style["color"])
            cells = [model.measured["sweep"][BOTH][name] for name in names]
            values = [100 * cell[metric] for cell in cells]
            if all(metric in cell["ci"] for cell in cells):
                low, high = 100 * np.array([cell["ci"][metric] for cell in cells]).T
                axes.fill_between(places, low, high, alpha=0.13, linewidth=0, color=style["color"])
            if all("std" in cell for cell in cells):
                bars = [100 * cell["std"][metric] for cell in cells]
                axes.errorbar(places, values, bars, fmt="none", capsize=4, color=style["color"])
            axes.plot(values, markersize=7, linestyle=dash, **style)
        axes.set_xticks(places, names)
        axes.yaxis.set_major_formatter("{x:g} %")
        axes.grid(visible=False, axis="x")
        axes.set_ylim(**({"top": 101} if metric == "accuracy" else {"bottom": 0}))
        last = [(model.title, model.measured["sweep"]) for model in models]
        described = "; ".join(
            f"{title} {100 * cells[BOTH][names[-1]][metric]:.1f} % ({100 * cells[names[-1]][metric]:.1f} %)"
            for title, cells in last
        )
        title = (
            f"{_NAMES[metric]} against the height of the degraded face. "
            f"At {resolution_title(names[-1])}, {MATCHED} ({GALLERY_NATIVE}): "
        )
        return svg(figure, metric, f"{title}{described}.")


def det_plot(models: Sequence[Model], resolution: str, kind: str) -> "Markup":
    """ROC or DET of all models at one resolution, FMR on a logarithmic axis, with 95 % bands.

    Args:
        models: Those without scores are left out.
        resolution: Of both pictures.
        kind: "roc" (share of genuine pairs accepted) or "det" (share rejected, logarithmic).
    """
    det = kind == "det"
    described = []
    with drawing(_WIDE, "false match rate", 8) as (figure, axes):
        for model, style, dash in reversed(_styled(models)):
            if resolution not in model.scores:
                continue
            scores = model.scores[resolution]
            floor = 0.5 / scores.genuine  # half a pair: what a logarithmic axis can show of "none"
            fmr, tmr, low, high = (np.array(rates) for rates in astuple(scores.trade))
            if det:
                tmr, low, high = (np.maximum(1 - rates, floor) for rates in (tmr, high, low))
            if len(low):
                axes.fill_between(fmr, low, high, step="post", alpha=0.13, linewidth=0, color=style["color"])
            axes.plot(fmr, tmr, drawstyle="steps-post", linestyle=dash, **style | {"marker": None})
            at = max(0, int(np.searchsorted(fmr, 1e-2 * (1 + 1e-9), side="right")) - 1)
            described.append(f"{model.title} {100 * tmr[at]:.1f} %")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(_percent)
        if det:
            axes.set_yscale("log")
            axes.set_ylim(top=1)
        else:
            axes.set_ylim(0, 1.02)
        axes.yaxis.set_major_formatter(_percent)
        axes.minorticks_off()
        name, what = ("DET", "rejected") if det else ("ROC", "accepted")
        axes.set_ylabel(f"genuine pairs {what}", labelpad=8)
        title = f"{name} at {resolution_title(resolution)}. Genuine pairs {what} at a false match rate of 1 %: "
        return svg(figure, f"{kind}-{resolution}", title + "; ".join(reversed(described)) + ".")


def histogram_plot(model: Model, series: int, place: int, resolution: str) -> "Markup":
    """Where the similarities of genuine and of impostor pairs lie, for one model at one resolution.

    Args:
        model: With scores at this resolution.
        series: Its colour.
        place: Its place among the models, for a name of its own.
        resolution: Of both pictures.
    """
    histogram = model.scores[resolution].histogram
    edges = np.array(histogram.edges)
    used = [np.array(one.histogram.genuine) + one.histogram.impostor for one in model.scores.values()]
    filled = np.flatnonzero(np.sum(used, axis=0))  # one range for all resolutions, so that they compare
    with drawing(_SMALL, "similarity", 6) as (figure, axes):
        low, high = filled[0], filled[-1] + 1
        wide = max(1, round((high - low) / _BARS))  # bins that make a bar
        starts = np.arange(low, high, wide)
        bars = np.append(edges[starts], edges[min(starts[-1] + wide, len(edges) - 1)])
        axes.stairs(np.add.reduceat(histogram.genuine, starts), bars, fill=True, color=SERIES[series], alpha=0.6)
        axes.stairs(np.add.reduceat(histogram.impostor, starts), bars, color=INK, linewidth=1.6)
        axes.margins(x=0.02)
        axes.set_yticks([])
        centres = (edges[1:] + edges[:-1]) / 2
        means = [float(np.dot(centres, shares)) for shares in (histogram.genuine, histogram.impostor)]
        title = (
            f"Similarities of {model.title} at {resolution_title(resolution)}: same person {means[0]:.2f} on average, "
            f"different people {means[1]:.2f}."
        )
        return svg(figure, f"histogram-{place}-{resolution}", title)


def pareto_plot(models: Sequence[Model], resolution: str, cost: str, unit: str) -> "Markup":
    """Accuracy against a cost, with the line of models that no other one beats in both.

    Args:
        models: Those whose cost is not known are left out.
        resolution: Of both pictures.
        cost: "latency_ms" or "size_mb".
        unit: Of the axis.
    """
    points = [
        (model.measured[cost], 100 * cell["accuracy"], cell["ci"].get("accuracy", [cell["accuracy"]] * 2), style)
        for model, style, _ in _styled(models)
        if model.measured[cost] is not None and (cell := model.measured["sweep"][BOTH][resolution])
    ]
    best = pareto_front([(x, y) for x, y, _, _ in points])
    with drawing((5.0, 3.6), unit, 8) as (figure, axes):
        axes.step(*zip(*best, strict=True), where="post", color=INK, alpha=0.45, linestyle=DASHES[2], linewidth=1.5)
        for x, y, (low, high), style in points:
            axes.plot([x, x], [100 * low, 100 * high], color=style["color"], linewidth=2, alpha=0.5)
            axes.plot([x], [y], markersize=11, **style)
        axes.set_xscale("log")
        least, most = min(x for x, *_ in points), max(x for x, *_ in points)
        axes.set_xlim(least / 1.6, most * 1.6)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(lambda x, _: f"{x:g}" if most / least < 10 and f"{x:e}"[0] in "25" else "")
        axes.yaxis.set_major_formatter("{x:g} %")
        axes.margins(y=0.15)
        title = f"Accuracy at {resolution_title(resolution)} against {unit}: " + "; ".join(
            f"{model.title} {model.measured[cost]:.2g}, {100 * cells[resolution]['accuracy']:.1f} %"
            for model in models
            if model.measured[cost] is not None and (cells := model.measured["sweep"][BOTH])
        )
        return svg(figure, f"pareto-{cost}", f"{title}.")


def pareto_front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those of (cost, gain) that no other point beats: none is as cheap with more gain; by rising cost."""
    front: list[tuple[float, float]] = []
    for cost, gain in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or gain > front[-1][1]:
            front.append((cost, gain))
    return front


def reliability_plot(models: Sequence[Model], resolution: str) -> "Markup":
    """How often pairs show one person against how probable the model files call it.

    Args:
        models: Those without a probability are left out.
        resolution: Of both pictures.
    """
    described = []
    with drawing((4.4, 4.0), "probability stated", 8) as (figure, axes):
        axes.plot([0, 1], [0, 1], color=INK, alpha=0.45, linestyle=DASHES[2], linewidth=1.5)
        for model, style, dash in _styled(models):
            scores = model.scores.get(resolution)
            if scores is None or scores.reliability is None:
                continue
            bins = scores.reliability["bins"]
            predicted, observed = ([one[key] for one in bins] for key in ("predicted", "observed"))
            axes.plot(predicted, observed, markersize=7, linestyle=dash, **style)
            described.append(f"{model.title} {100 * scores.reliability['ece']:.1f} %")
        axes.set_ylabel("share that is one person", labelpad=8)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(_percent)
        axes.set_xlim(-0.03, 1.03)
        axes.set_ylim(-0.03, 1.03)
        title = f"Reliability at {resolution_title(resolution)}. Expected calibration error: {'; '.join(described)}."
        return svg(figure, f"reliability-{resolution}", title)


def training_plot(training: Training, place: int, validation: bool) -> "Markup":
    """The loss terms, each as a share of its first value, or the validation's error rates, over the steps.

    Args:
        training: One net's.
        place: Its place among the nets, for a name of its own.
        validation: Whether the validation's curves are drawn.
    """
    curves = training.validation if validation else training.losses
    with drawing(_SMALL, "step", 6) as (figure, axes):
        for number, points in enumerate(curves.values()):
            steps, values = np.array(points).T
            style = {"color": SERIES[(1 + number) % len(SERIES)], "linestyle": DASHES[number % len(DASHES)]}
            shown = 100 * values if validation else values / (values[0] or 1)
            axes.plot(steps, shown, linewidth=2, marker=".", markersize=6, **style)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter("{x:g} %" if validation else "{x:g}")
        what = "Validation of" if validation else "Loss terms of"
        last = ", ".join(f"{name} {points[-1][1]:.3g}" for name, points in curves.items())
        return svg(figure, f"training-{place}-{validation:d}", f"{what} {training.title}; at the end: {last}.")


def _styled(models: Sequence[Model]) -> list[tuple[Model, dict[str, Any], Any]]:
    """Each model with its colour, marker and width, and its dashes: full for a series' first model."""
    styled: list[tuple[Model, dict[str, Any], Any]] = []
    met: Counter[int] = Counter()
    for model, series in zip(models, series_of(models), strict=True):
        width = 2.0 if model.role == TEACHER else 2.6
        style = {"color": SERIES[series], "marker": MARKERS[series], "linewidth": width}
        styled.append((model, style, DASHES[met[series] % len(DASHES)]))
        met[series] += 1
    return styled


def _percent(rate: float, _place: int) -> str:
    return f"{100 * rate:g} %"
