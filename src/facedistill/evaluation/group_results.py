"""Error rates by group of people and by condition, as figures and as a table."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from facedistill.evaluation.results import Result, percent_with_interval
from facedistill.printable import printable

RATES = ("fmr", "fnmr", "eer")


@dataclass(frozen=True)
class GroupFigures(Result):
    """The error rates of one group; a rate is None without a pair to measure it on.

    Attributes:
        people: Whose pictures are in the group.
        pictures: Their number.
        genuine: Number of different comparisons of one person.
        impostors: Number of different comparisons of two people.
        fmr: False match rate at the threshold of all groups.
        fnmr: False non-match rate at that threshold.
        eer: Equal error rate, at a threshold of the group's own.
        ci: Name of a rate -> its 95 % interval [low, high]; empty where there is a warning.
        warning: Why the group is too small for its rates to be compared, or None.
    """

    people: int
    pictures: int
    genuine: int
    impostors: int
    fmr: float | None
    fnmr: float | None
    eer: float | None
    ci: Mapping[str, list[float]]
    warning: str | None


@dataclass(frozen=True)
class AttributeFigures(Result):
    """The groups of one attribute; those with a warning are neither the worst nor in the ratio.

    Attributes:
        rule: Which impostor pairs belong to a group: "probe", those of its probes; "within", those of two of its
            pictures.
        unknown: Number of pictures without a label.
        groups: Group -> its rates.
        worst: "fmr", "fnmr" and "eer" -> the group in which it is largest, None with fewer than two groups.
        fmr_ratio: The largest FMR over the smallest; None where that is 0 or there are fewer than two groups.
    """

    rule: str
    unknown: int
    groups: Mapping[str, GroupFigures]
    worst: Mapping[str, str | None]
    fmr_ratio: float | None


@dataclass(frozen=True)
class GroupsResult(Result):
    """Error rates by group at one threshold for all.

    Attributes:
        fmr: Share of all impostor pairs that match at the threshold.
        threshold: The threshold.
        people: Number of people.
        pictures: Number of pictures.
        attributes: Attribute -> its groups.
    """

    fmr: float
    threshold: float
    people: int
    pictures: int
    attributes: Mapping[str, AttributeFigures]

    def tables(self, title: str) -> list[Table]:
        """One table, rates in per cent, 95 % intervals in brackets."""
        caption = f"all at the threshold {self.threshold:.3f}, FMR {self.fmr:g} over all pairs"
        table = Table(title=title, caption=caption)
        for heading in ("", "people", "FMR, %", "FNMR, %", "EER, %", ""):
            table.add_column(heading, justify="right" if heading else "left")
        for name, attribute in self.attributes.items():
            table.add_section()
            notes = [] if attribute.fmr_ratio is None else [f"largest FMR / smallest: {attribute.fmr_ratio:.1f}"]
            notes += [f"{attribute.unknown} pictures without a label"] * (attribute.unknown > 0)
            table.add_row(Text(printable(name), style="bold"), "", "", "", "", "; ".join(notes))
            for group, figures in attribute.groups.items():
                worst = " and ".join(rate.upper() for rate, which in attribute.worst.items() if which == group)
                rates = (percent_with_interval(getattr(figures, rate), figures.ci.get(rate), 2) for rate in RATES)
                note = figures.warning or (f"worst {worst}" if worst else "")
                table.add_row(Text(printable(group)), str(figures.people), *rates, note)
        return [table]
