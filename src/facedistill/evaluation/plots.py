"""Accuracy and error against resolution, as SVG text that takes its colours from the page."""

import io
import re
from collections.abc import Mapping
from html import escape
from typing import Any

from facedistill.errors import UsageError
from facedistill.evaluation.tables import models_in, resolutions_in

# Stand-ins that matplotlib can draw with; in the SVG each becomes a CSS variable, so that one picture serves a
# light and a dark page.
_INK, _FAINT = "#010203", "#040506"
_COLOURS = {"teacher": "#070809", "student": "#0a0b0c", "control": "#0d0e0f"}
_VARIABLES = {_INK: "--ink", _FAINT: "--line"} | {colour: f"--{name}" for name, colour in _COLOURS.items()}
_MARKERS = {"teacher": "s", "student": "o", "control": "^"}


def resolution_plot(summary: Mapping[str, Any], metric: str, title: str) -> str:
    """A line per model over the resolutions of the probe, with its 95 % band.

    Args:
        summary: As `report.write_report` takes it.
        metric: "accuracy" or "eer", drawn in per cent.
        title: What the picture shows, for readers who do not see it.

    Returns:
        An `<svg>` element that uses the CSS variables --ink, --line, --teacher, --student and --control.

    Raises:
        UsageError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError("the report needs matplotlib: pip install 'facedistill[train]'") from error

    names = resolutions_in(summary)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": metric, "font.size": 13}):
        figure = Figure(figsize=(5.6, 4.0), layout="constrained")
        axes = figure.add_subplot()
        for model in reversed(models_in(summary)):  # the first named is drawn on top
            cells = [summary["models"][model]["sweep"][name] for name in names]
            values = [100 * cell[metric] for cell in cells]
            style: dict[str, Any] = {"color": _COLOURS[model]}
            if all(metric in cell["ci"] for cell in cells):
                low, high = zip(
                    *((100 * low, 100 * high) for low, high in (c["ci"][metric] for c in cells)), strict=True
                )
                axes.fill_between(range(len(names)), low, high, alpha=0.16, linewidth=0, **style)
            width = 2.8 if model == "student" else 2.0
            axes.plot(values, marker=_MARKERS[model], markersize=7, linewidth=width, **style)
        axes.set_xticks(range(len(names)), names)
        axes.set_xlabel("height of the degraded face, pixels", color=_INK, labelpad=10)
        axes.yaxis.set_major_formatter("{x:g} %")
        if metric == "accuracy":
            axes.set_ylim(top=101)
        else:
            axes.set_ylim(bottom=0)
        axes.grid(axis="y", color=_FAINT, linewidth=1)
        axes.set_axisbelow(True)
        axes.tick_params(colors=_INK, length=0, pad=8)
        axes.spines[:].set_visible(False)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _for_page(file.getvalue(), metric, title)


def _for_page(svg: str, prefix: str, title: str) -> str:
    """The bare `<svg>` element: no prolog, ids that are its own on the page, colours by CSS variable."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)
