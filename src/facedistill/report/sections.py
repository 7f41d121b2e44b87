"""What the sections of the report page show, as plain data for their templates."""

import math
from collections.abc import Mapping
from itertools import groupby

from facedistill.evaluation.results import NOT_KNOWN, percent_with_interval
from facedistill.model_file import BOTH_PREFIX, MATCHED_PREFIX, NATIVE
from facedistill.report.figures import STUDENT, Model, Paired, Report, Scores, Training
from facedistill.report.gather import best_student
from facedistill.report.plots import series_of
from facedistill.report.tables import Line, key_resolution, resolution_title, side_by_side

_FMRS = (1e-1, 1e-2, 1e-3, 1e-4)
_PREFIXES = ("", MATCHED_PREFIX, BOTH_PREFIX)


class PageContent:
    """The contents of a report's sections; an empty one has no section. Panels come with their titles.

    Args:
        report: The figures.

    Attributes:
        key: The resolution of the headline.
        several_seeds: Whether figures are means over seeds.
        scored: The models that could be loaded.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self.key = key_resolution(report.models[0].measured["sweep"])
        self.several_seeds = any(len(model.seeds) > 1 for model in report.models)
        self.scored = [model for model in report.models if model.scores]

    @property
    def sections(self) -> dict[str, str]:
        """Name of the template -> heading, in the order of the page, of those that have something to show."""
        named: dict[str, tuple[str, object]] = {
            "figures": ("The figures", True),
            "tests": ("Is the difference real?", self.comparisons),
            "trade": ("False matches against false rejections", self.scored),
            "scores": ("Similarities", self.scored),
            "pairs": ("The hardest pairs", self.scored),
            "groups": ("By condition and group", self.groups),
            "cost": ("What accuracy costs", self.costs),
            "calibration": ("Do the probabilities keep their word?", self.calibrated),
            "training": ("Training", self.training),
            "cards": ("Model cards", True),
            "words": ("What the words mean", True),
            "measured": ("How it was measured", True),
            "limits": ("What the figures do not say", True),
        }
        return {name: heading for name, (heading, content) in named.items() if content}

    @property
    def legend(self) -> list[tuple[Model, int]]:
        """All models with their places among colours and markers."""
        return list(zip(self._report.models, series_of(self._report.models), strict=True))

    @property
    def best(self) -> Model:
        """The student of the headline."""
        return best_student(self._report.models, self.key)

    def of_role(self, role: str) -> list[Model]:
        """The models of a role."""
        return [model for model in self._report.models if model.role == role]

    def test_against(self, model: Model) -> Paired | None:
        """The paired test of the best student against a model at the resolution of the headline."""
        tests = (test for test in self._report.comparisons if test.resolution == self.key)
        return next((test for test in tests if test.b.startswith(model.title)), None)

    @property
    def table(self) -> dict[str, list[Line]]:
        """Heading -> lines of the table."""
        return side_by_side([model.measured for model in self._report.models])

    @property
    def comparisons(self) -> list[tuple[str, list[Paired]]]:
        """Resolution -> the paired tests."""
        by_resolution = groupby(self._report.comparisons, key=lambda test: test.resolution)
        return [(resolution_title(name), list(tests)) for name, tests in by_resolution]

    @property
    def resolutions(self) -> list[tuple[str, str]]:
        """The resolutions of the scores; there is a scored model."""
        return [(resolution_title(name), name) for name in self.scored[0].scores]

    def rates(self, resolution: str) -> tuple[list[float], list[Line]]:
        """Round false match rates, and TAR at them, a line a model: the figures behind ROC and DET."""
        first = self.scored[0].scores[resolution].trade
        fmrs = [fmr for fmr in _FMRS if fmr >= first.fmr[0] * (1 - 1e-9)]
        lines = []
        for model in self.scored:
            curve = model.scores[resolution].trade
            places = [min(range(len(curve.fmr)), key=lambda at: abs(curve.fmr[at] - fmr)) for fmr in fmrs]
            bounds = [(curve.low[at], curve.high[at]) if curve.low else None for at in places]
            values = (percent_with_interval(curve.tmr[at], bound, 1) for at, bound in zip(places, bounds, strict=True))
            lines.append((model.title, tuple(values)))
        return fmrs, lines

    @property
    def hardest_pairs(self) -> list[tuple[str, tuple[str, Scores]]]:
        """A resolution and its scores, of the students or of every model of a single recipe."""
        students = [model for model in self.scored if model.role == STUDENT]
        chosen = students if len(students) > 1 else self.scored[::-1]
        return [
            (f"{model.title}, {resolution_title(name)}", (name, model.scores[name]))
            for model in sorted(chosen, key=lambda model: model.role != STUDENT)
            for name in dict.fromkeys((self.key, NATIVE))
        ]

    @property
    def groups(self) -> list[tuple[str, Mapping[str, object]]]:
        """`Model.groups` of each model and resolution, the students' first."""
        return [
            (f"{model.title}, {resolution_title(name)}", figures)
            for model in sorted(self._report.models, key=lambda model: model.role != STUDENT)
            for name, figures in model.groups.items()
        ]

    @property
    def costs(self) -> list[tuple[str, str]]:
        """Cost -> the unit of its axis, of those that are known of two models at least."""
        units = {"latency_ms": "CPU milliseconds a face", "size_mb": "file size, MB"}
        known = {cost: sum(model.measured[cost] is not None for model in self._report.models) for cost in units}
        return [(cost, unit) for cost, unit in units.items() if known[cost] > 1]

    @property
    def calibrated(self) -> list[tuple[str, str]]:
        """The resolutions at which a model states a probability."""
        stated = {name for model in self.scored for name, scores in model.scores.items() if scores.reliability}
        return [(title, name) for title, name in self.resolutions if name in stated] if stated else []

    @property
    def training(self) -> list[tuple[str, tuple[int, Training]]]:
        """The curves of each net that has any, and its place among the nets."""
        return [
            (curves.title, (place, curves))
            for place, curves in enumerate(self._report.training)
            if curves.losses or curves.validation
        ]

    @staticmethod
    def thresholds(known: Mapping[str, Mapping[str, float]]) -> tuple[list[float], list[Line]]:
        """The FMRs, falling, and for each condition the thresholds that a model file carries."""
        fmrs = sorted({fmr for each in known.values() for fmr in each}, key=float, reverse=True)
        lines = [
            (_condition_title(name), tuple(f"{each[fmr]:.3f}" if fmr in each else NOT_KNOWN for fmr in fmrs))
            for name, each in sorted(known.items(), key=lambda entry: _condition_order(entry[0]))
        ]
        return [float(fmr) for fmr in fmrs], lines


def _condition_order(name: str) -> tuple[int, float]:
    """Native first, then falling rows; first with one face degraded, then matched ones, then both."""
    prefix, rows = _parted(name)
    return _PREFIXES.index(prefix), -math.inf if rows == NATIVE else -float(rows)


def _condition_title(name: str) -> str:
    prefix, rows = _parted(name)
    return prefix + resolution_title(rows)


def _parted(name: str) -> tuple[str, str]:
    """A condition's prefix and its resolution."""
    prefix = next((prefix for prefix in _PREFIXES[1:] if name.startswith(prefix)), "")
    return prefix, name.removeprefix(prefix)
