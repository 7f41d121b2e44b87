"""Pieces of HTML that the report's parts are made of."""

import math
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

from facedistill.model_file import BOTH_PREFIX, NATIVE
from facedistill.report.figures import HardPair, Model
from facedistill.report.plots import series_of
from facedistill.report.tables import NOT_KNOWN, Row, resolution_title

_RATES = {"fmr": "false matches", "fnmr": "rejections", "eer": "equal error rate"}
_WIDE_COLUMNS = 3  # with more, an interval stands under its figure
_FMRS = (1e-1, 1e-2, 1e-3, 1e-4)


def prose(text: str) -> str:
    """Escaped text whose figures stay on one line with their per cent sign."""
    return escape(text).replace(" %", "&nbsp;%")


def part(name: str, title: str, text: str, content: str) -> str:
    """A section with its heading.

    Args:
        name: Its anchor.
        title: The heading.
        text: HTML that says how to read it; may be empty.
        content: HTML.
    """
    said = f"<p><small>{text}</small></p>" if text else ""
    heading = f'<h2 id="{name}-title">{title}</h2>'
    return f'<section id="{name}" aria-labelledby="{name}-title">{heading}{said}{content}</section>'


def tabs(name: str, label: str, panels: Mapping[str, str]) -> str:
    """One of several panels at a time, chosen by radio buttons; printed, all are seen.

    Args:
        name: Unlike any other tabs' on the page.
        label: What is chosen, for readers who do not see it.
        panels: Title -> HTML.
    """
    if len(panels) == 1:
        return next(iter(panels.values()))
    buttons = "".join(
        f'<label><input type="radio" name="{name}"{"" if number else " checked"}>{escape(title)}</label>'
        for number, title in enumerate(panels)
    )
    bodies = "".join(
        f'<div class="panel" role="group" aria-label="{escape(title)}">'
        f'<p class="of" aria-hidden="true">{escape(title)}</p>{body}</div>'
        for title, body in panels.items()
    )
    return f'<div class="tabs"><fieldset class="choice"><legend>{label}</legend>{buttons}</fieldset>{bodies}</div>'


def fact_list(entries: Iterable[tuple[str, str]]) -> str:
    """Headings and what stands under them, those without a text left out; for a `<dl>`."""
    told = "".join(f"<dt>{escape(name)}</dt><dd>{prose(value)}</dd>" for name, value in entries if value)
    return re.sub(r"\b[0-9a-f]{64}\b", r"<code>\g<0></code>", told)


def side_by_side(models: Sequence[Model], lines: Iterable[Row]) -> str:
    """A column a model, a heading a section."""
    series = series_of(models)
    heads = "".join(
        f'<th scope="col" class="c{number}">{escape(model.title)}</th>'
        for model, number in zip(models, series, strict=True)
    )
    dense = ' class="dense"' if len(models) > _WIDE_COLUMNS else ""
    parts = [f"<table{dense}><thead><tr><td></td>{heads}</tr></thead>"]
    for section, group in groupby(lines, key=lambda row: row.section):
        parts.append(f'<tbody><tr><th scope="rowgroup" colspan="{len(models) + 1}">{escape(section)}</th></tr>')
        for row in group:
            cells = "".join(f"<td>{_with_small_interval(value)}</td>" for value in row.values)
            parts.append(f'<tr><th scope="row">{escape(row.title)}</th>{cells}</tr>')
        parts.append("</tbody>")
    return scrolling("figures side by side", "".join([*parts, "</table>"]))


def rates_table(models: Sequence[Model], resolution: str) -> str:
    """The figures behind ROC and DET: genuine pairs accepted at round false match rates."""
    first = models[0].scores[resolution]
    known = [fmr for fmr in _FMRS if fmr >= first.trade.fmr[0] * (1 - 1e-9)]
    heads = "".join(f'<th scope="col">{100 * fmr:g}&nbsp;%</th>' for fmr in known)
    lines = []
    for model in models:
        trade = model.scores[resolution].trade
        cells = []
        for fmr in known:
            place = min(range(len(trade.fmr)), key=lambda index: abs(trade.fmr[index] - fmr))
            bounds = f" ({100 * trade.low[place]:.1f}-{100 * trade.high[place]:.1f})" if trade.low else ""
            cells.append(f"<td>{_with_small_interval(f'{100 * trade.tmr[place]:.1f}{bounds}')}</td>")
        lines.append(f'<tr><th scope="row">{escape(model.title)}</th>{"".join(cells)}</tr>')
    caption = (
        f"genuine pairs accepted, %, at a false match rate of: ({first.genuine:,} genuine and {first.impostors:,} "
        "impostor pairs)"
    )
    return scrolling(
        "genuine pairs accepted",
        f"<table><caption>{caption}</caption><thead><tr><td></td>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>",
    )


def calibration_table(models: Sequence[Model], resolution: str) -> str:
    """The expected calibration error of each model that states a probability."""
    lines = "".join(
        f'<tr><th scope="row">{escape(model.title)}</th><td>{100 * found["ece"]:.1f}</td></tr>'
        for model in models
        if (found := model.scores[resolution].reliability)
    )
    return scrolling(
        "calibration error",
        "<table><caption>expected calibration error: how far the probabilities are off on average, lower is better"
        f'</caption><thead><tr><td></td><th scope="col">%</th></tr></thead><tbody>{lines}</tbody></table>',
    )


def groups_table(figures: Mapping[str, Any]) -> str:
    """Errors by condition and group, at one threshold for all."""
    parts = []
    for name, told in figures["attributes"].items():
        ratio = "" if told["fmr_ratio"] is None else f"; largest false match rate / smallest: {told['fmr_ratio']:.1f}"
        unknown = f"; {told['unknown']} pictures without a label" if told["unknown"] else ""
        heading = f"{escape(name.replace('_', ' '))}<small>{ratio}{unknown}</small>"
        parts.append(f'<tbody><tr><th scope="rowgroup" colspan="5">{heading}</th></tr>')
        for group, cell in told["groups"].items():
            worst = [_RATES[metric] for metric, which in told["worst"].items() if which == group]
            note = cell["warning"] or (f"worst: {', '.join(worst)}" if worst else "")
            rates = "".join(f"<td>{_with_small_interval(_group_rate(cell, metric))}</td>" for metric in _RATES)
            parts.append(f'<tr><th scope="row">{escape(group)}</th><td>{cell["people"]}</td>{rates}</tr>')
            if note:
                parts.append(f'<tr class="remark"><td colspan="5"><small>{escape(note)}</small></td></tr>')
        parts.append("</tbody>")
    titles = ("people", "false matches, %", "rejections, %", "EER, %")
    heads = "".join(f'<th scope="col">{title}</th>' for title in titles)
    said = f"All at the threshold {figures['threshold']:.3f}, a false match rate of {100 * figures['fmr']:g} % in all."
    return f"<p><small>{prose(said)}</small></p>" + scrolling(
        "errors by group", f"<table><thead><tr><td></td>{heads}</tr></thead>{''.join(parts)}</table>"
    )


def thresholds_table(thresholds: Mapping[str, Mapping[str, float]]) -> str:
    """The thresholds that a model file carries; nothing where it carries none."""
    if not thresholds:
        return ""
    rates = sorted({rate for known in thresholds.values() for rate in known}, key=float, reverse=True)
    heads = "".join(f'<th scope="col">{100 * float(rate):g}&nbsp;%</th>' for rate in rates)
    lines = "".join(
        f'<tr><th scope="row">{escape(_condition_title(name))}</th>'
        + "".join(f"<td>{known[rate]:.3f}</td>" if rate in known else f"<td>{NOT_KNOWN}</td>" for rate in rates)
        + "</tr>"
        for name, known in sorted(thresholds.items(), key=lambda entry: _condition_order(entry[0]))
    )
    return "<h4>Thresholds in the file</h4>" + scrolling(
        "thresholds",
        "<table><caption>least similarity called the same person, at a false match rate of:</caption>"
        f"<thead><tr><td></td>{heads}</tr></thead><tbody>{lines}</tbody></table>",
    )


def pair_figure(pair: HardPair, resolution: str) -> str:
    """Two pictures, their similarity and their names."""
    seen = "as it is" if resolution == NATIVE else f"shrunk to {resolution} rows"
    told = (f"{pair.first}, {seen}", pair.second)
    pictures = "".join(
        f'<img src="data:image/jpeg;base64,{b64encode(picture).decode()}" alt="{escape(text)}">'
        for picture, text in zip(pair.pictures, told, strict=True)
    )
    names = f"{escape(pair.first)} \u2013 {escape(pair.second)}"
    caption = f"<figcaption>{pair.score:z.2f} <small>{names}</small></figcaption>"
    return f'<figure class="pair"><div>{pictures}</div>{caption}</figure>'


def scrolling(label: str, content: str) -> str:
    """What may be wider than a phone; the keyboard can scroll it."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{label}">{content}</div>'


def _with_small_interval(value: str) -> str:
    figure, bracket, rest = value.partition(" (")
    figure = escape(figure).replace(" \u00b1 ", "&nbsp;\u00b1&nbsp;")
    return figure + (f" <small>({escape(rest)}</small>" if bracket else "")


def _group_rate(cell: Mapping[str, Any], metric: str) -> str:
    if cell[metric] is None:
        return NOT_KNOWN
    low, high = cell["ci"].get(metric, (None, None))
    return f"{100 * cell[metric]:.2f}" + ("" if low is None else f" ({100 * low:.2f}-{100 * high:.2f})")


def _condition_order(name: str) -> tuple[bool, float]:
    """Native first, then falling rows; those with both faces degraded last."""
    both = name.startswith(BOTH_PREFIX)
    rows = name.removeprefix(BOTH_PREFIX)
    return both, -math.inf if rows == NATIVE else -float(rows)


def _condition_title(name: str) -> str:
    both = name.startswith(BOTH_PREFIX)
    return ("both " if both else "") + resolution_title(name.removeprefix(BOTH_PREFIX))
