"""From finished runs to a table: means over seeds with their intervals, Markdown, JSON and pictures."""

import json
import platform
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from scipy.stats import t as student_t

from facedistill.files import atomic_path, write_text
from facedistill.model_file import NATIVE
from facedistill.training.run_folder import versions
from running import Run
from sizing import Sizes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = (NATIVE, "30", "20", "16", "12", "8")
LOW = "8-30"  # the mean over all degraded resolutions
SET_NAMES = {"unseen": "synthetic people who were not trained on", "orl": "ORL"}
INTERVALS = (
    "± is the standard deviation over seeds; [ ] is the 95 % t-interval of the mean over seeds, which covers other "
    "seeds. The JSON file also has each run's interval over resampled people (bootstrap), which covers other people."
)


@dataclass(frozen=True)
class Estimate:
    """A figure over seeds.

    Attributes:
        values: One a seed.
        mean: Theirs.
        std: Their standard deviation; None with a single seed.
        ci: 95 % t-interval of the mean; None with a single seed.
    """

    values: tuple[float, ...]
    mean: float
    std: float | None
    ci: tuple[float, float] | None


def estimate(values: Sequence[float]) -> Estimate:
    """Mean, standard deviation and 95 % t-interval of the mean of at least one value."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Estimate(tuple(values), mean, None, None)
    std = statistics.stdev(values)
    half = float(student_t.ppf(0.975, len(values) - 1)) * std / len(values) ** 0.5
    return Estimate(tuple(values), mean, std, (mean - half, mean + half))


def estimate_dict(values: Sequence[float]) -> dict[str, Any]:
    """`estimate` in the types of JSON."""
    return asdict(estimate(values))


def figure(sweep: Mapping[str, Any], rows: str, measure: str) -> float:
    """A figure of a sweep at a resolution, or its mean over the degraded ones (`LOW`)."""
    if rows == LOW:
        return statistics.fmean(sweep[at][measure] for at in ROWS if at != NATIVE)
    return float(sweep[rows][measure])


def summary(runs: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """The results of the runs of one row: test set -> measure -> rows -> `Estimate` as a dict; and their cost.

    Args:
        runs: Seed -> `Run.result()`; at least one.
    """
    results = [runs[seed] for seed in sorted(runs)]
    sets = {
        name: {
            measure: {
                rows: estimate_dict([figure(result["cells"][name], rows, measure) for result in results])
                for rows in (*ROWS, LOW)
            }
            for measure in ("eer", "accuracy")
        }
        | {"bootstrap": {rows: [result["cells"][name][rows]["ci"] for result in results] for rows in ROWS}}
        for name in results[0]["cells"]
    }
    return {
        "seeds": sorted(runs),
        "sets": sets,
        "parameters": results[0]["parameters"],
        "macs": results[0]["macs"],
        "seconds": mean_seconds([result["seconds"] for result in results]),
    }


def mean_seconds(books: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Phase -> mean CPU and wall seconds, and whether no session of any run was killed before it could count."""
    return {
        phase: {
            "cpu": statistics.fmean(book[phase]["cpu"] for book in books),
            "wall": statistics.fmean(book[phase]["wall"] for book in books),
            "whole": all(book[phase]["whole"] for book in books),
        }
        for phase in books[0]
    }


def difference(
    ours: Mapping[int, Mapping[str, Any]], theirs: Mapping[int, Mapping[str, Any]], name: str, rows: str, measure: str
) -> dict[str, Any] | None:
    """Ours minus theirs, seed by seed; None where no seed is in both."""
    seeds = sorted(set(ours) & set(theirs))
    values = [
        figure(ours[seed]["cells"][name], rows, measure) - figure(theirs[seed]["cells"][name], rows, measure)
        for seed in seeds
    ]
    return estimate_dict(values) if values else None


def finished(rows: Mapping[str, Sequence[Run]]) -> dict[str, dict[int, dict[str, Any]]]:
    """Row -> seed -> result, of the runs that are finished; rows without any are left out."""
    found = {name: {run.recipe.seed: run.result() for run in runs if run.finished} for name, runs in rows.items()}
    return {name: results for name, results in found.items() if results}


def settings(sizes: Sizes, seeds: Sequence[int]) -> dict[str, Any]:
    """How the figures were made."""
    return {
        "command": _command(),
        "sizes": asdict(sizes),
        "seeds": list(seeds),
        "versions": versions(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }


def _command() -> str:
    """The call, without the options on folders and on the number of runs at once."""
    kept, arguments = [], iter(sys.argv[1:])
    for argument in arguments:
        if argument in ("--out", "--results", "--jobs"):
            next(arguments, None)
        elif argument != "--report":
            kept.append(argument)
    return " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *kept])


def settings_lines(content: Mapping[str, Any]) -> list[str]:
    """The settings as a Markdown list."""
    sizes = content["sizes"]
    teacher = (
        f", {sizes['teacher_steps']} a training of the teacher (width {sizes['teacher_width']:g})"
        if sizes["teacher_steps"]
        else ""
    )
    return [
        f"- {sizes['people']} synthetic people x {sizes['images']} pictures to train on, {sizes['validation']} more "
        f"people to choose checkpoints, {sizes['held_out']} to test; batch {sizes['batch']}; {sizes['steps']} steps a "
        f"student (width {sizes['student_width']:g}){teacher}; seeds {', '.join(map(str, content['seeds']))}.",
        f"- {', '.join(f'{name} {number}' for name, number in content['versions'].items())}; Python "
        f"{content['python']} on {content['machine']}.",
        f"- Command: `{content['command']}`.",
    ]


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table, its first column to the left and the others to the right."""
    return [
        f"| {' | '.join(headings)} |",
        "|---|" + "---:|" * (len(headings) - 1),
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
    ]


def percent(figure: Mapping[str, Any] | None, interval: bool = False, signed: bool = False) -> str:
    """An estimate of a fraction in per cent: `3.21 ± 0.40`, with its interval on request."""
    if figure is None:
        return "-"
    sign = "+" if signed else ""
    text = f"{100 * figure['mean']:{sign}.2f}"
    if figure["std"] is not None:
        text += f" ± {100 * figure['std']:.2f}"
        if interval:
            text += f" [{100 * figure['ci'][0]:{sign}.2f}, {100 * figure['ci'][1]:{sign}.2f}]"
    return text


def sweep_tables(models: Mapping[str, Mapping[str, Any]], titles: Mapping[str, str]) -> list[str]:
    """For each test set and measure a table: a line a model, a column a resolution."""
    lines: list[str] = []
    for name in next(iter(models.values()))["sets"]:
        for measure, heading in (("eer", "EER, %"), ("accuracy", "Accuracy (10-fold), %")):
            rows = [
                [
                    titles[key],
                    *(percent(model["sets"][name][measure][at]) for at in ROWS),
                    percent(model["sets"][name][measure][LOW], interval=True),
                ]
                for key, model in models.items()
            ]
            lines += [f"### {heading}: {SET_NAMES[name]}", ""]
            lines += table(["", *ROWS, "mean of 30 to 8 rows"], rows)
    return lines


def write(results: Path, name: str, report: Mapping[str, Any], markdown: Sequence[str]) -> None:
    """Writes NAME.json and NAME.md."""
    write_text(results / f"{name}.json", json.dumps(report, indent=1) + "\n")
    write_text(results / f"{name}.md", "\n".join(markdown).rstrip() + "\n")


def draw(
    path: Path,
    models: Mapping[str, Mapping[str, Any]],
    titles: Mapping[str, str],
    bars: Mapping[str, Mapping[str, float]],
    bar_label: str,
) -> None:
    """The EER of each model over rows, a panel a test set, and bars of what each costs.

    Args:
        path: A PNG file.
        models: Key -> `summary`.
        titles: Key -> its title.
        bars: Key -> part -> height; the parts are stacked.
        bar_label: What the bars show.
    """
    from matplotlib.figure import Figure

    sets = list(next(iter(models.values()))["sets"])
    size = (4.6 * (len(sets) + 1), 4 + 0.06 * len(models))
    drawing = Figure(figsize=size, layout="constrained")
    axes = drawing.subplots(1, len(sets) + 1)
    lines = {key: (f"C{place % 10}", "--" if place >= 10 else "-") for place, key in enumerate(models)}
    for axis, name in zip(axes, sets, strict=False):
        for key, model in models.items():
            figures = [model["sets"][name]["eer"][rows] for rows in ROWS]
            heights = [100 * each["mean"] for each in figures]
            errors = [100 * (each["std"] or 0) for each in figures]
            colour, dashes = lines[key]
            axis.errorbar(
                range(len(ROWS)), heights, errors, label=titles[key], color=colour, ls=dashes, marker="o", ms=3
            )
        axis.set_xticks(range(len(ROWS)), ROWS)
        axis.set(xlabel="rows of the probe", ylabel="EER, % (± std over seeds)", ylim=(0, None))
        axis.set_title(SET_NAMES[name], fontsize=9)
        axis.grid(alpha=0.3)
    handles, labels = axes[0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=7, handlelength=4)
    parts = list(dict.fromkeys(part for stack in bars.values() for part in stack))
    below = [0.0] * len(bars)
    for place, part in enumerate(parts):
        heights = [stack.get(part, 0.0) for stack in bars.values()]
        axes[-1].barh([fill(titles[key], 32) for key in bars], heights, left=below, label=part, color=f"C{place}")
        below = [low + height for low, height in zip(below, heights, strict=True)]
    axes[-1].invert_yaxis()
    axes[-1].set(xlabel=bar_label)
    axes[-1].tick_params(axis="y", labelsize=7)
    axes[-1].legend(fontsize=7)
    save(drawing, path)


def save(drawing: "Figure", path: Path) -> None:
    """Writes a drawing as a PNG file, whole or not at all."""
    with atomic_path(path) as temporary:
        drawing.savefig(temporary, format="png", dpi=100)
