"""What a search found: its trials, its best net bound by bound, and the nets that no other beats in everything."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from facedistill.files import write_text
from facedistill.search.standard import Bound, Standard

REPORT = "search.json"

TRAINED = "trained"
BEHIND = "stopped: behind the others"
COSTLY = "not trained: costs too much"
IMPOSSIBLE = "not trained: values that do not go together"
DIVERGED = "diverged"

_COMPARED_COSTS = ("size_mb", "latency_ms")


@dataclass(frozen=True)
class Outcome:
    """What came of one trial.

    Attributes:
        number: From 0, in the order of trying.
        outcome: `TRAINED`, `BEHIND`, `COSTLY`, `IMPOSSIBLE` or `DIVERGED`.
        values: Field of the recipe -> what it was set to.
        costs: size_mb, latency_ms, params, macs; empty where the net could not be built.
        figures: Target -> its value on the validation pictures: at the best step, or the last before it was stopped.
        why: One line, where it was not trained to its end.
        file_mb: Size of its own model file, where it was written; that also carries thresholds and the licence.
    """

    number: int
    outcome: str
    values: Mapping[str, Any]
    costs: Mapping[str, float]
    figures: Mapping[str, float]
    why: str
    file_mb: float | None = None

    @property
    def measured(self) -> dict[str, float]:
        """Costs and figures; the size is that of its own file as soon as there is one."""
        size = {} if self.file_mb is None else {"size_mb": self.file_mb}
        return {**self.costs, **size, **self.figures}


@dataclass(frozen=True)
class Report:
    """A search as it stands.

    Attributes:
        standard: What is searched for.
        trials: All that are finished.
        test: The winner's figures on the test set, where it was tested.
    """

    standard: Standard
    trials: tuple[Outcome, ...]
    test: Mapping[str, Any] | None = None

    @property
    def winner(self) -> Outcome | None:
        """The first that meets every bound, else the trained net that misses the figures by least; None without any."""
        trained = [trial for trial in self.trials if trial.outcome == TRAINED]

        def worth(trial: Outcome) -> tuple[bool, float]:
            return not self.standard.met(trial.measured), self.standard.shortfall(trial.figures)

        return min(trained, key=worth, default=None)

    @property
    def met(self) -> bool:
        """Whether the winner meets every bound."""
        return self.winner is not None and self.standard.met(self.winner.measured)

    @property
    def front(self) -> list[Outcome]:
        """The trained nets that no other beats: as good or better in figures, size and time, and better in one."""
        trained = [trial for trial in self.trials if trial.outcome == TRAINED]
        places = {trial.number: self._place(trial) for trial in trained}
        kept = [trial for trial in trained if not any(_beats(other, places[trial.number]) for other in places.values())]
        return sorted(kept, key=lambda trial: places[trial.number])

    def _place(self, trial: Outcome) -> tuple[float, ...]:
        """What is compared, less is better: the mean of the figures, then size and time."""
        bad = [bound.badness(trial.figures[bound.target]) for bound in self.standard.figures]
        return (sum(bad) / len(bad), *(trial.costs[name] for name in _COMPARED_COSTS))

    @property
    def stopped_by(self) -> dict[str, int]:
        """Bound on cost -> how many untrained nets missed it."""
        return {
            str(bound): count
            for bound in self.standard.costs
            if (count := sum(bound.missed_by(trial.costs.get(bound.target, 0)) > 0 for trial in self.trials))
        }

    def to_json(self) -> dict[str, Any]:
        """All of it in the types of JSON."""
        winner = self.winner
        return {
            "standard": str(self.standard),
            "met": self.met,
            "winner": None if winner is None else winner.number,
            "bounds": [] if winner is None else [_bound_result(bound, winner) for bound in self.standard.bounds],
            "front": [trial.number for trial in self.front],
            "outcomes": dict(Counter(trial.outcome for trial in self.trials)),
            "stopped_by": self.stopped_by,
            "test": None if self.test is None else dict(self.test),
            "trials": [asdict(trial) for trial in self.trials],
        }


def write_report(folder: Path, report: Report, origin: Mapping[str, Any]) -> None:
    """Writes `search.json`: the report, and under `settings` what it comes from."""
    write_text(folder / REPORT, json.dumps({**report.to_json(), "settings": dict(origin)}, indent=1) + "\n")


def front_heads(report: Report) -> list[str]:
    """The columns of the table of nets that no other beats."""
    targets = [bound.target for bound in report.standard.figures]
    return ["trial", *targets, "MB", "ms", "parameters", "MMAC", "set to"]


def front_rows(report: Report) -> list[tuple[str, ...]]:
    """Its rows, best figures first; a star marks the best by the standard."""
    return [
        (
            f"{trial.number}{' *' * (trial is report.winner)}",
            *(f"{trial.figures[bound.target]:.4f}" for bound in report.standard.figures),
            f"{trial.costs['size_mb']:.2f}",
            f"{trial.costs['latency_ms']:.2f}",
            f"{trial.costs['params']:,.0f}",
            f"{trial.costs['macs'] / 1e6:.1f}",
            describe_values(trial.values),
        )
        for trial in report.front
    ]


def front_table(report: Report) -> Table:
    """The nets that no other beats, for `rich.print`."""
    table = Table(title="No other net is better in figures, size and time", title_justify="left")
    *numbers, values = front_heads(report)
    for heading in numbers:
        table.add_column(heading, justify="right")
    table.add_column(values, overflow="fold")
    for row in front_rows(report):
        table.add_row(*row)
    return table


def verdict(report: Report) -> list[str]:
    """Line by line: how many trials there were, what stopped them, and how the best net stands to each bound."""
    counted = Counter(trial.outcome for trial in report.trials)
    lines = [f"{len(report.trials)} trials: " + "; ".join(f"{count} {outcome}" for outcome, count in counted.items())]
    lines += [f"{count} untrained nets missed {bound}" for bound, count in report.stopped_by.items()]
    winner = report.winner
    if winner is None:
        return [*lines, "no net was trained to its end, so none can be compared with the standard"]
    lines.append(f"best: trial {winner.number} ({describe_values(winner.values)})")
    for found in (_bound_result(bound, winner) for bound in report.standard.bounds):
        text = "met" if found["met"] else f"missed by {found['missed_by']:.4g}"
        lines.append(f"  {found['bound']}: {found['value']:.4g}, {text}")
    return lines


def describe_values(values: Mapping[str, Any]) -> str:
    """Fields and values in one line."""
    texts = (f"{value:.4g}" if isinstance(value, float) else str(value) for value in values.values())
    return ", ".join(f"{name}={value}" for name, value in zip(values, texts, strict=True))


def _bound_result(bound: Bound, trial: Outcome) -> dict[str, Any]:
    value = trial.measured[bound.target]
    missed = bound.missed_by(value)
    return {"bound": str(bound), "value": value, "met": not missed, "missed_by": missed}


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    return tuple(one) != tuple(other) and all(a <= b for a, b in zip(one, other, strict=True))
