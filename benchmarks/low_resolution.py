"""What does it cost to train a small net for low resolution, and how well does it then recognise people?

The claim of Wang et al. (ICCVW 2019): six ways to train one thin and deep student, and beside it nets of other families
with as many multiply-accumulates:
python benchmarks/low_resolution.py --jobs 2
python benchmarks/low_resolution.py --only no_kd stored --seeds 0
python benchmarks/low_resolution.py --full
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from facedistill.recipe import HARD, LossTerm, Recipe, TeacherRecipe
from facedistill.recipe.files import read_recipe
from facedistill.training import BEST
from reporting import (
    INTERVALS,
    LOW,
    difference,
    draw,
    finished,
    mean_seconds,
    percent,
    settings,
    settings_lines,
    summary,
    sweep_tables,
    table,
    write,
)
from running import TARGETS, TARGETS_FOLDER, TRAINING, Run, run_benchmark, run_script, tests_of
from sizing import Sizes, macs_of, options_parser, sized, sized_teacher, width_for

NAME = "low_resolution"
USUAL = Sizes(300, 12, 40, 20, 400, 400, 64, teacher_width=0.5, student_width=0.1875)
FULL = Sizes(8000, 30, 1000, 200, 20_000, 20_000, 256, teacher_width=1.0, student_width=0.5)
RECIPES = Path(__file__).parents[1] / "recipes"

NO_KD, TWO_STEP, L2, LIVE, STORED, BOTH = "no_kd", "two_step", "l2", "live", "stored", "soft_mmd"
TITLES = {
    "teacher": "teacher",
    "augmented": "teacher retrained on degraded faces",
    NO_KD: "(a) no teacher",
    TWO_STEP: "(b) two steps: teacher retrained, sees what the student sees",
    L2: "(c) one step, L2",
    LIVE: "(d) one step, MK-MMD, teacher run at every step",
    STORED: "(e) one step, MK-MMD, teacher targets cached",
    BOTH: "(f) as (e), MK-MMD on soft labels besides",
}
NETS = ("mobilenetv2", "mobilefacenet", "shufflenetv2", "squeezenet")  # trained as (e)
# What has to be run for a student, as the JSON file names it, and as the report does.
RETRAINING, CENTRES, CACHED, STUDENT = "retraining the teacher", "asking for class centres", "asking", "student"
PARTS = {RETRAINING: RETRAINING, CENTRES: "class centres", CACHED: "teacher targets", STUDENT: STUDENT}


def main(arguments: list[str] | None = None) -> None:
    parser = options_parser(__doc__, NAME, USUAL, FULL)
    run_benchmark(parser, arguments, USUAL, FULL, table_rows, report)


def table_rows(options: argparse.Namespace, sizes: Sizes) -> dict[str, list[Run]]:
    """Row of the table -> its runs, one a seed; the teachers and their targets are rows with one run."""
    out, tests = options.out, tests_of(options)
    first = read_recipe(RECIPES / "low_resolution_teacher.yaml")
    paper = read_recipe(RECIPES / "low_resolution.yaml")
    two_step = read_recipe(RECIPES / "two_step.yaml")
    teacher = Run(sized_teacher(first, sizes, out / "teacher", options), tests=tests)
    retrained = replace(sized_teacher(first, sizes, out / "augmented", options), variance=paper.variance)
    start = replace(retrained.student, start=str(out / "teacher" / BEST))
    augmented = Run(replace(retrained, student=start), after=(teacher.folder,), tests=tests)

    def targets_run(net: Run, recipe: Recipe, name: str) -> Run:
        settings = replace(sized(recipe, sizes, out / name, options), teacher=with_teacher(recipe, net))
        return Run(settings, trains=False, after=(net.folder,))

    def with_teacher(recipe: Recipe, net: Run) -> TeacherRecipe:
        return replace(recipe.teacher, spec=str(net.folder / BEST))

    targets, centres = targets_run(teacher, paper, TARGETS_FOLDER), targets_run(augmented, two_step, "centres")
    base = {HARD: paper.losses[HARD], "soft": paper.losses["soft"]}
    online = replace(paper, teacher=replace(paper.teacher, input="view"))
    ways = {
        TWO_STEP: (two_step, augmented, centres),
        L2: (replace(paper, losses=base | {"l2": LossTerm()}), teacher, targets),
        LIVE: (online, teacher, targets),
        STORED: (paper, teacher, targets),
        BOTH: (
            replace(paper, losses=paper.losses | {"mk_mmd@logits": LossTerm(options={"on": "logits"})}),
            teacher,
            targets,
        ),
    }
    net = replace(paper.student, embedding_size=first.student.embedding_size)
    macs = macs_of(net.backbone, sizes.student_width, net.embedding_size or 512, net.input_size)
    widths = {name: width_for(name, macs, replace(paper, student=net)) for name in NETS}

    def student(name: str, seed: int) -> Run:
        folder = out / f"{name}-{seed}"
        if name == NO_KD:
            alone = sized(replace(paper, student=net).labels_only(), sizes, folder, options, seed)
            return Run(alone, tests=tests)
        recipe, by, source = ways.get(name, ways[STORED])
        settings = replace(sized(recipe, sizes, folder, options, seed), teacher=with_teacher(recipe, by))
        if name in widths:
            settings = replace(settings, student=replace(settings.student, backbone=name, width=widths[name]))
        return Run(settings, targets_from=source.folder, after=(source.folder,), tests=tests)

    single = {"teacher": [teacher], "augmented": [augmented], "targets": [targets], "centres": [centres]}
    return single | {name: [student(name, seed) for seed in options.seeds] for name in (NO_KD, *ways, *NETS)}


def report(options: argparse.Namespace, sizes: Sizes, rows: Mapping[str, list[Run]]) -> None:
    """Writes what is finished as JSON, Markdown and a picture."""
    results = finished(rows)
    shared: dict[str, Any] = {
        name: mean_seconds([results[name][0]["seconds"]])
        for name in ("augmented", "targets", "centres")
        if name in results
    }
    models = {name: summary(results[name]) for name in (*TITLES, *NETS) if name in results}
    ways = {name: model for name, model in models.items() if name in TITLES}
    if not ways:
        print("nothing is finished yet")
        return
    costs = {
        name: costs_of(name, model, shared)
        for name, model in models.items()
        if name not in shared and name != "teacher"
    }
    content: dict[str, Any] = settings(sizes, options.seeds) | {
        "models": models,
        "cpu_seconds": {name: seconds_of(cost, "cpu") for name, cost in costs.items()},
        "wall_seconds": {name: seconds_of(cost, "wall") for name, cost in costs.items()},
        "ratio": ratio(costs),
    }
    against = {
        f"{ours} - {theirs}": {
            name: difference(results[ours], results[theirs], name, LOW, "eer") for name in models[ours]["sets"]
        }
        for ours, theirs in ((STORED, TWO_STEP), (STORED, NO_KD), (STORED, L2), (STORED, LIVE), (BOTH, STORED))
        if ours in results and theirs in results
    }
    content["eer_differences"] = against
    picture = options.results / f"{NAME}.png"
    draw(picture, ways, TITLES, content["cpu_seconds"] and bars(content["cpu_seconds"]), "CPU seconds")
    write(options.results, NAME, content, markdown(content, costs))


def bars(cpu: Mapping[str, Mapping[str, float]]) -> dict[str, Mapping[str, float]]:
    return {
        name: {PARTS[part]: seconds for part, seconds in parts.items()} for name, parts in cpu.items() if name in TITLES
    }


def costs_of(name: str, model: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Part -> seconds of all that had to be run for a student, the teacher's first training apart."""
    costs: dict[str, dict[str, Any]] = {}
    if name == TWO_STEP:
        costs[RETRAINING] = shared["augmented"][TRAINING]
        costs[CENTRES] = shared["centres"][TARGETS]
    elif name != NO_KD:
        costs[CENTRES if name == LIVE else CACHED] = shared["targets"][TARGETS]
    return costs | {STUDENT: model["seconds"][TRAINING]}


def seconds_of(cost: Mapping[str, Any], clock: str) -> dict[str, float]:
    """Part -> its seconds by a clock, "cpu" or "wall"."""
    return {part: seconds[clock] for part, seconds in cost.items()}


def ratio(costs: Mapping[str, Mapping[str, Any]]) -> dict[str, float] | None:
    """How many times as much CPU time (b) costs as (e), and what that cannot exceed."""
    if TWO_STEP not in costs or STORED not in costs:
        return None
    two, one = (seconds_of(costs[name], "cpu") for name in (TWO_STEP, STORED))
    whole = sum(two.values())
    return {
        "as_measured": whole / sum(one.values()),
        "without_centres": (whole - two[CENTRES]) / sum(one.values()),
        "were_asking_free": whole / one[STUDENT],
        "students_share": one[STUDENT] / sum(one.values()),
    }


def markdown(content: Mapping[str, Any], costs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    models = content["models"]
    ways = {name: model for name, model in models.items() if name in TITLES}
    lines = [
        "# The low-resolution claim",
        "",
        "The targets of a teacher that takes the faces as they are never change, so they are computed once, and it",
        "is never trained again (one step; Wang et al., ICCVW 2019). Two steps train it again on degraded faces and",
        "compute its targets from the student's crops. The same student, pictures, steps, seeds in each row; all but",
        "(a) have the hard and the soft loss and the one named; (b) has (e)'s losses. Probes are degraded to the rows",
        "given, the gallery is native.",
        "",
        f"![EER over rows, and CPU seconds]({NAME}.png)",
        "",
        INTERVALS,
        "",
        *sweep_tables(ways, TITLES),
    ]
    if content["eer_differences"]:
        names = next(iter(content["eer_differences"].values()))
        differences = [
            [TITLES[key.split(" - ")[0]] + " against " + TITLES[key.split(" - ")[1]]]
            + [percent(each[name], interval=True, signed=True) for name in names]
            for key, each in content["eer_differences"].items()
        ]
        lines += ["### Difference of the mean EER at 30 to 8 rows, seed by seed, points", ""]
        lines += table(["", *names], differences)
    lines += [
        "## Cost",
        "",
        "What had to be run for one student; the teacher's first training serves all rows alike.",
        "",
    ]
    seconds = [
        [
            TITLES.get(name, name),
            *(f"{cost[part]['cpu']:.0f}" if part in cost else "" for part in PARTS),
            f"{sum(seconds_of(cost, 'cpu').values()):.0f}",
            ("" if all(seconds["whole"] for seconds in cost.values()) else "at least ")
            + f"{sum(seconds_of(cost, 'wall').values()):.0f}",
        ]
        for name, cost in costs.items()
    ]
    lines += table(["CPU seconds", *PARTS.values(), "in all", "by the clock"], seconds)
    if ratios := content["ratio"]:
        lines += [
            f"(b) costs {ratios['as_measured']:.1f} times as much CPU time as (e); {ratios['without_centres']:.1f} "
            "times if its pass for class centres, which a teacher with a classifier of its own does not need, is left "
            f"out. What bounds it: the student's own training is {ratios['students_share']:.0%} of (e), so with "
            f"targets that cost nothing, it would be {ratios['were_asking_free']:.1f} times.",
            "",
        ]
    lines += equal_macs(models)
    return [
        *lines,
        "## How",
        "",
        *settings_lines(content),
        f"- Recipes: `recipes/{NAME}.yaml`, `recipes/two_step.yaml`.",
    ]


def equal_macs(models: Mapping[str, Any]) -> list[str]:
    """The second table: families of nets at equal cost."""
    names = [name for name in (STORED, *NETS) if name in models]
    if len(names) < 2:
        return []
    sets = list(models[names[0]]["sets"])
    rows = [
        [
            "resnet36, thin and deep" if name == STORED else name,
            f"{models[name]['macs'] / 1e6:.1f}",
            f"{models[name]['parameters']:,}",
            f"{models[name]['seconds'][TRAINING]['cpu']:.0f}",
            *(percent(models[name]["sets"][each]["eer"][at]) for each in sets for at in ("native", "16", LOW)),
        ]
        for name in names
    ]
    headings = [f"EER, %: {each}, {at}" for each in sets for at in ("native", "16", "mean of 30 to 8")]
    return [
        "## Students at equal multiply-accumulates, trained as (e)",
        "",
        *table(["net", "MMAC", "parameters", "training, CPU s", *headings], rows),
    ]


if __name__ == "__main__":
    run_script(main)
