"""What the sections of the report page show, as plain data for their templates."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple

from facedistill.model_file import BOTH_PREFIX, NATIVE
from facedistill.report.drawing import GLYPHS
from facedistill.report.figures import STUDENT, Model, Paired, Report, Scores, Training
from facedistill.report.plots import series_of
from facedistill.report.tables import NOT_KNOWN, Row, key_resolution, resolution_title, rows

_RATES = {"fmr": "false matches", "fnmr": "rejections", "eer": "equal error rate"}
_FMRS = (1e-1, 1e-2, 1e-3, 1e-4)


class LegendEntry(NamedTuple):
    """A model with its colour, its marker and its costs in words."""

    title: str
    model: Model
    place: int
    series: int
    glyph: str
    costs: str


class RatesPanel(NamedTuple):
    """The figures behind ROC and DET at one resolution: TAR at round false match rates, a row a model."""

    title: str
    resolution: str
    genuine: int
    impostors: int
    fmrs: list[float]
    rows: list[Row]


class ScoresPanel(NamedTuple):
    """One model's scores at one resolution."""

    title: str
    resolution: str
    scores: Scores


class CalibrationPanel(NamedTuple):
    """The expected calibration errors at one resolution, a row a model."""

    title: str
    resolution: str
    rows: list[Row]


class Group(NamedTuple):
    """One group of people or pictures: FMR, FNMR and EER in per cent, and a note."""

    title: str
    people: int
    values: list[str]
    note: str


class Attribute(NamedTuple):
    """A condition or trait with its groups."""

    title: str
    remark: str
    groups: list[Group]


class GroupsPanel(NamedTuple):
    """One model's errors by group at one resolution."""

    title: str
    threshold: str
    attributes: list[Attribute]


class TrainingPanel(NamedTuple):
    """The curves of one net and its place among the nets."""

    title: str
    place: int
    curves: Training


class PageContent:
    """The contents of a report's sections; an empty one has no section.

    Args:
        report: The figures.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self.key = key_resolution(report.models[0].measured["sweep"])
        self.several_seeds = any(len(model.seeds) > 1 for model in report.models)
        self._scored = [model for model in report.models if model.scores]

    @property
    def sections(self) -> dict[str, str]:
        """Name of the template -> heading, in the order of the page, of those that have something to show."""
        named: dict[str, tuple[str, object]] = {
            "figures": ("The figures", True),
            "tests": ("Is the difference real?", self.comparisons),
            "trade": ("False matches against false rejections", self.rates),
            "scores": ("Similarities", self._scored),
            "pairs": ("The hardest pairs", self.hardest_pairs),
            "groups": ("By condition and group", self.groups),
            "cost": ("What accuracy costs", self.costs),
            "calibration": ("Do the probabilities keep their word?", self.calibration),
            "training": ("Training", self.training),
            "cards": ("Model cards", True),
            "words": ("What the words mean", True),
            "measured": ("How it was measured", True),
            "limits": ("What the figures do not say", True),
        }
        return {name: heading for name, (heading, content) in named.items() if content}

    @cached_property
    def legend(self) -> list[LegendEntry]:
        """All models."""
        entries = []
        for place, (model, series) in enumerate(zip(self._report.models, series_of(self._report.models), strict=True)):
            known = [(model.measured["size_mb"], "{:.1f} MB"), (model.measured["latency_ms"], "{:.1f} ms a face")]
            costs = ", ".join(pattern.format(value) for value, pattern in known if value is not None)
            entries.append(LegendEntry(model.title, model, place, series, GLYPHS[series], costs))
        return entries

    def tables(self, both: bool) -> list[tuple[str, list[Row]]]:
        """Heading -> rows of the table; with `both`, of the pairs of which both pictures are degraded."""
        lines = rows([model.measured for model in self._report.models], both)
        return [(heading, list(group)) for heading, group in groupby(lines, key=lambda row: row.section)]

    @cached_property
    def comparisons(self) -> list[tuple[str, list[Paired]]]:
        """Resolution -> the paired tests."""
        by_resolution = groupby(self._report.comparisons, key=lambda test: test.resolution)
        return [(resolution_title(name), list(tests)) for name, tests in by_resolution]

    @cached_property
    def rates(self) -> list[RatesPanel]:
        """A panel a resolution."""
        return [self._rates(name) for name in self._scored[0].scores] if self._scored else []

    def _rates(self, resolution: str) -> RatesPanel:
        first = self._scored[0].scores[resolution]
        fmrs = [fmr for fmr in _FMRS if fmr >= first.trade.fmr[0] * (1 - 1e-9)]
        lines = []
        for model in self._scored:
            curve = model.scores[resolution].trade
            places = [min(range(len(curve.fmr)), key=lambda at: abs(curve.fmr[at] - fmr)) for fmr in fmrs]
            bounds = [f" ({100 * curve.low[at]:.1f}-{100 * curve.high[at]:.1f})" if curve.low else "" for at in places]
            values = (f"{100 * curve.tmr[at]:.1f}{bound}" for at, bound in zip(places, bounds, strict=True))
            lines.append(Row(model.title, tuple(values), ""))
        return RatesPanel(resolution_title(resolution), resolution, first.genuine, first.impostors, fmrs, lines)

    @cached_property
    def scores(self) -> list[ScoresPanel]:
        """A panel a resolution, with the first model's scores."""
        found = self._scored[0].scores.items() if self._scored else ()
        return [ScoresPanel(resolution_title(name), name, scores) for name, scores in found]

    @cached_property
    def hardest_pairs(self) -> list[ScoresPanel]:
        """Of the students, or of every model of a single recipe."""
        students = [model for model in self._scored if model.role == STUDENT]
        chosen = students if len(students) > 1 else self._scored[::-1]
        chosen.sort(key=lambda model: model.role != STUDENT)
        names = dict.fromkeys((self.key, NATIVE))
        return [
            ScoresPanel(f"{model.title}, {resolution_title(name)}", name, model.scores[name])
            for model in chosen
            for name in names
        ]

    @cached_property
    def groups(self) -> list[GroupsPanel]:
        """A panel a model and resolution, the students' first."""
        return [
            _groups_panel(f"{model.title}, {resolution_title(name)}", figures)
            for model in sorted(self._report.models, key=lambda model: model.role != STUDENT)
            for name, figures in model.groups.items()
        ]

    @cached_property
    def costs(self) -> list[tuple[str, str]]:
        """Cost -> the unit of its axis, of those that are known of two models at least."""
        units = {"latency_ms": "CPU milliseconds a face", "size_mb": "file size, MB"}
        known = {cost: sum(model.measured[cost] is not None for model in self._report.models) for cost in units}
        return [(cost, unit) for cost, unit in units.items() if known[cost] > 1]

    @cached_property
    def calibration(self) -> list[CalibrationPanel]:
        """A panel a resolution, of the models that state a probability."""
        known = [model for model in self._scored if any(one.reliability for one in model.scores.values())]
        panels = []
        for name in [name for name, scores in known[0].scores.items() if scores.reliability] if known else []:
            found = [(model.title, model.scores[name].reliability) for model in known]
            lines = [Row(title, (f"{100 * one['ece']:.1f}",), "") for title, one in found if one]
            panels.append(CalibrationPanel(resolution_title(name), name, lines))
        return panels

    @cached_property
    def training(self) -> list[TrainingPanel]:
        """A panel a net that has curves."""
        return [
            TrainingPanel(curves.title, place, curves)
            for place, curves in enumerate(self._report.training)
            if curves.losses or curves.validation
        ]

    @staticmethod
    def thresholds(known: Mapping[str, Mapping[str, float]]) -> tuple[list[float], list[Row]]:
        """The FMRs, falling, and for each condition the thresholds that a model file carries."""
        fmrs = sorted({fmr for each in known.values() for fmr in each}, key=float, reverse=True)
        lines = [
            Row(_condition_title(name), tuple(f"{each[fmr]:.3f}" if fmr in each else NOT_KNOWN for fmr in fmrs), "")
            for name, each in sorted(known.items(), key=lambda entry: _condition_order(entry[0]))
        ]
        return [float(fmr) for fmr in fmrs], lines


def _groups_panel(title: str, figures: Mapping[str, Any]) -> GroupsPanel:
    threshold = (
        f"All at the threshold {figures['threshold']:.3f}, a false match rate of {100 * figures['fmr']:g} % in all."
    )
    attributes = []
    for name, found in figures["attributes"].items():
        ratio = "" if found["fmr_ratio"] is None else f"; largest false match rate / smallest: {found['fmr_ratio']:.1f}"
        unknown = f"; {found['unknown']} pictures without a label" if found["unknown"] else ""
        groups = list(_groups(found["groups"], found["worst"]))
        attributes.append(Attribute(name.replace("_", " "), ratio + unknown, groups))
    return GroupsPanel(title, threshold, attributes)


def _groups(cells: Mapping[str, Mapping[str, Any]], worst: Mapping[str, str]) -> Iterator[Group]:
    for name, cell in cells.items():
        worst_in = [_RATES[metric] for metric, group in worst.items() if group == name]
        note = cell["warning"] or (f"worst: {', '.join(worst_in)}" if worst_in else "")
        yield Group(name, cell["people"], [_group_rate(cell, metric) for metric in _RATES], note)


def _group_rate(cell: Mapping[str, Any], metric: str) -> str:
    if cell[metric] is None:
        return NOT_KNOWN
    bounds: Sequence[float] = cell["ci"].get(metric, ())
    return f"{100 * cell[metric]:.2f}" + (f" ({100 * bounds[0]:.2f}-{100 * bounds[1]:.2f})" if bounds else "")


def _condition_order(name: str) -> tuple[bool, float]:
    """Native first, then falling rows; those with both faces degraded last."""
    both = name.startswith(BOTH_PREFIX)
    rows_left = name.removeprefix(BOTH_PREFIX)
    return both, -math.inf if rows_left == NATIVE else -float(rows_left)


def _condition_title(name: str) -> str:
    both = name.startswith(BOTH_PREFIX)
    return ("both " if both else "") + resolution_title(name.removeprefix(BOTH_PREFIX))
