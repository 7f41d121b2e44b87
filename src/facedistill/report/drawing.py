"""Figures as SVG text that takes its colours from the page, so that one picture serves light and dark."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from facedistill.errors import UsageError

if TYPE_CHECKING:
    from markupsafe import Markup

# Stand-ins that matplotlib can draw with; in the SVG each becomes a CSS variable.
INK, FAINT = "#010203", "#040506"
SERIES = tuple(f"#0708{number:02x}" for number in range(10, 18))
_VARIABLES = {INK: "--ink", FAINT: "--line"} | {colour: f"--c{number}" for number, colour in enumerate(SERIES)}
MARKERS = ("s", "o", "^", "D", "v", "P", "X", "p")
GLYPHS = "\u25a0\u25cf\u25b2\u25c6\u25bc\u271a\u2716\u2b1f"  # the same shapes as text
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)))


@contextmanager
def drawing(size: tuple[float, float], xlabel: str, pad: float) -> Iterator[tuple[Any, Any]]:
    """Yields a matplotlib figure and its axes, styled for the page.

    Args:
        size: Width and height in inches; 5.6 fills a phone's width with readable text.
        xlabel: What the horizontal axis shows.
        pad: Points between axis and label.

    Raises:
        UsageError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError("the report needs matplotlib: pip install 'facedistill[train]'") from error

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "facedistill", "font.size": 13}):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        for background in (figure.patch, axes.patch):
            background.set_facecolor("none")
        axes.grid(color=FAINT, linewidth=1)
        axes.set_axisbelow(True)
        axes.tick_params(which="both", colors=INK, length=0, pad=8)
        axes.spines[:].set_visible(False)
        axes.set_xlabel(xlabel, labelpad=pad, color=INK)
        axes.yaxis.label.set_color(INK)
        yield figure, axes


def svg(figure: Any, name: str, title: str) -> "Markup":
    """The bare `<svg>` element: no prolog, ids that are its own on the page, colours by CSS variable.

    Args:
        figure: From `drawing`.
        name: Unlike any other picture's on the page.
        title: What the picture shows, for readers who do not see it; escaped here.

    Returns:
        The element, which templates take as it is.
    """
    from markupsafe import Markup
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    file = io.StringIO()
    # Not `savefig`, which draws twice, the first time for the layout; this draw lays out too.
    FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    return Markup(text.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1))
