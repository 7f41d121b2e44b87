"""Which loss improves a small net most? Every registered one beside the hard loss, in turn; what each step costs.

Same student, people, steps and seeds in each row; one teacher that was trained on those people, so that losses on
embeddings, logits and feature maps can be compared. With `--teacher dlib` the losses on embeddings and logits are
also trained with dlib's net as the teacher, which has seen real faces:
python benchmarks/losses.py --jobs 2
python benchmarks/losses.py --teacher dlib --jobs 2
python benchmarks/losses.py --only soft rkd --seeds 0
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from facedistill.datasets.training_faces import open_training_faces
from facedistill.losses import LOSSES, build_loss
from facedistill.pipelines.face_workload import FaceWorkload, resolve_student
from facedistill.recipe import HARD, LossTerm, Recipe, TeacherRecipe
from facedistill.recipe.files import read_recipe
from facedistill.recipe.parts import build_variances
from facedistill.teachers import load_teachers
from facedistill.training import BEST
from facedistill.training.build import build_task
from facedistill.training.data import AugmentedFaces, batches
from facedistill.training.device import make_fabric
from reporting import (
    INTERVALS,
    LOW,
    SET_NAMES,
    difference,
    finished,
    percent,
    save,
    settings,
    settings_lines,
    summary,
    sweep_tables,
    table,
    write,
)
from running import TARGETS_FOLDER, Run, caches_of, run_benchmark, run_script, tests_of
from sizing import Sizes, options_parser, sized, sized_teacher

NAME = "losses"
USUAL = Sizes(300, 12, 40, 20, 400, 400, 64, teacher_width=0.5, student_width=0.1875)
FULL = Sizes(8000, 30, 1000, 200, 20_000, 20_000, 256, teacher_width=1.0, student_width=0.25)
RECIPES = Path(__file__).parents[1] / "recipes"
CONTROL, PAPER, QUICKSTART, TEACHER, TARGETS = "hard", "low_resolution", "quickstart", "teacher", "targets"
DLIB_PREFIX = "dlib:"
# The weights and options that each loss's own paper, or its authors' code, gives it beside the hard loss; 1 elsewhere.
TERMS: Mapping[str, LossTerm] = {
    "cosine": LossTerm(64.0),  # the tables of Keras_insightface: 64 to 128 clearly beat 7
    "attention": LossTerm(16.0),  # Zagoruyko 2017: 1e3 / 2 over each map's places, summed over these four stages
    "sp": LossTerm(3000.0),  # Tung 2019: gamma
    "fitnets": LossTerm(1.0, {"stages": [2]}),  # Romero 2015: one hint, in the middle
    "attention_similarity": LossTerm(1.0, {"maps": "spatial"}),  # channels of two widths cannot be compared
    "soft": LossTerm(1.0, {"temperature": 4}),
}
DECISION = "<!-- decision -->"
TURNS = 15


def main(arguments: list[str] | None = None) -> None:
    parser = options_parser(__doc__, NAME, USUAL, FULL)
    parser.add_argument("--teacher", choices=["checkpoint", "dlib"], default="checkpoint", help="dlib: besides")
    run_benchmark(parser, arguments, USUAL, FULL, table_rows, report)


def table_rows(options: argparse.Namespace, sizes: Sizes) -> dict[str, list[Run]]:
    """Row of the table -> its runs, one a seed; the teacher and its targets are rows with one run."""
    out, tests = options.out, tests_of(options)
    base = read_recipe(RECIPES / "low_resolution.yaml")
    combined = read_recipe(RECIPES / "quickstart.yaml").losses
    trained = sized_teacher(read_recipe(RECIPES / "low_resolution_teacher.yaml"), sizes, out / TEACHER, options)
    teacher = Run(trained, tests=tests)
    losses = {name: {name: TERMS.get(name, LossTerm())} for name in LOSSES}
    losses |= {PAPER: base.losses, QUICKSTART: combined}
    rows = {TEACHER: [teacher]}

    def add_rows(prefix: str, teacher: TeacherRecipe, embedding_size: int | None, after: tuple[Path, ...]) -> None:
        net = replace(base, student=replace(base.student, embedding_size=embedding_size), teacher=teacher)

        def sized_run(name: str, seed: int = 0) -> Recipe:
            return sized(net, sizes, out / f"{prefix}{name}".replace(":", "-"), options, seed)

        targets = Run(sized_run(TARGETS_FOLDER), trains=False, after=after)
        rows[prefix + TARGETS] = [targets]
        rows[prefix + CONTROL] = [
            Run(sized_run(f"{CONTROL}-{seed}", seed).labels_only(), tests=tests) for seed in options.seeds
        ]
        for name, terms in losses.items():
            if prefix and any(needs_maps(loss, term) for loss, term in terms.items()):
                continue
            rows[prefix + name] = [
                Run(
                    replace(sized_run(f"{name}-{seed}", seed), losses={HARD: base.losses[HARD]} | terms),
                    targets_from=targets.folder,
                    after=(targets.folder,),
                    tests=tests,
                )
                for seed in options.seeds
            ]

    own = TeacherRecipe(str(teacher.folder / BEST), centred=False)
    add_rows("", own, trained.student.embedding_size, (teacher.folder,))
    if options.teacher == "dlib":
        add_rows(DLIB_PREFIX, TeacherRecipe("dlib", centred=True), 128, ())
    return rows


def control_of(name: str) -> str:
    """The row without a teacher that a row is held against: the same net."""
    return (DLIB_PREFIX if name.startswith(DLIB_PREFIX) else "") + CONTROL


def needs_maps(name: str, term: LossTerm) -> bool:
    return name != HARD and "features" in build_loss(name, **term.options).needs


def step_times(rows: Mapping[str, Run], turns: int) -> dict[str, float]:
    """Row -> median CPU milliseconds of one step without its pictures, the rows taking turns on one thread."""
    torch.set_num_threads(1)
    steps = {name: one_step(run) for name, run in rows.items()}
    times: dict[str, list[float]] = {name: [] for name in rows}
    for turn in range(turns + 1):
        for name, step in steps.items():
            started = time.process_time()
            step()
            if turn:  # the first makes what is made once
                times[name].append(1000 * (time.process_time() - started))
    return {name: statistics.median(each) for name, each in times.items()}


def one_step(run: Run) -> Callable[[], None]:
    """A function that gets the teacher targets of one batch and goes forward and back through the student."""
    teacher = load_teachers(run.recipe.all_teachers) if run.recipe.distils else None
    recipe = resolve_student(run.recipe, teacher)
    faces = open_training_faces(recipe.data, recipe.student.input_size)
    caches = caches_of(run, recipe, teacher, faces)
    task = build_task(recipe, faces.train.classes)
    task.targets = FaceWorkload(faces, teacher, caches).teacher_targets(recipe, task) if recipe.distils else None
    augmented = AugmentedFaces(faces.train, build_variances(recipe), recipe.data.mirror, recipe.seed)
    batch = next(iter(batches(augmented, recipe, 0, 0)))
    fabric = make_fabric("cpu", recipe.precision)

    def step() -> None:
        with fabric.autocast():
            terms = task(batch)
        torch.autograd.backward(torch.stack(list(terms.values())).sum())
        task.zero_grad()

    return step


def report(options: argparse.Namespace, sizes: Sizes, rows: Mapping[str, list[Run]]) -> None:
    """Writes what is finished as JSON, Markdown and a picture."""
    results = finished({name: runs for name, runs in rows.items() if runs[0].trains})
    if not results:
        print("nothing is finished yet")
        return
    models = {name: summary(each) for name, each in results.items()}
    students = {name: rows[name][0] for name in models if name != TEACHER}
    content: dict[str, Any] = settings(sizes, options.seeds) | {
        "models": models,
        "terms": {name: terms_line(rows[name][0].recipe.losses) for name in students},
        "step_cpu_ms": step_times(students, TURNS),
        "gains": {
            name: {each: difference(results[name], results[other], each, LOW, "eer") for each in models[name]["sets"]}
            for name in students
            if name != (other := control_of(name)) and other in results
        },
    }
    titles = {name: name for name in models}
    draw_bars(options.results / f"{NAME}.png", content)
    write(options.results, NAME, content, markdown(content, titles, decision(options.results / f"{NAME}.md")))


def terms_line(losses: Mapping[str, LossTerm]) -> str:
    """Weights and options in one line."""
    parts = []
    for name, term in losses.items():
        options = ", ".join(f"{option} {value}" for option, value in term.options.items())
        parts.append(f"{name} {term.weight:g}" + f" ({options})" * bool(options))
    return ", ".join(parts)


def draw_bars(path: Path, content: Mapping[str, Any]) -> None:
    """The EER of each loss on each test set, and what its step costs; too many for curves."""
    from matplotlib.figure import Figure

    models, steps = content["models"], content["step_cpu_ms"]
    sets = list(next(iter(models.values()))["sets"])
    size = (4 * (len(sets) + 1), 1.5 + 0.25 * len(models))
    drawing = Figure(figsize=size, layout="constrained")
    axes = drawing.subplots(1, len(sets) + 1, sharey=True)
    names = sorted(models, key=lambda name: sum(models[name]["sets"][each]["eer"][LOW]["mean"] for each in sets))
    for axis, each in zip(axes, sets, strict=False):
        figures = [models[name]["sets"][each]["eer"] for name in names]
        errors = [100 * (eer[LOW]["std"] or 0) for eer in figures]
        means = [100 * eer[LOW]["mean"] for eer in figures]
        axis.barh(names, means, xerr=errors, capsize=2, label="mean of 30 to 8 rows")
        axis.plot([100 * eer["native"]["mean"] for eer in figures], names, "k|", ms=9, label="native")
        if CONTROL in models:
            axis.axvline(100 * models[CONTROL]["sets"][each]["eer"][LOW]["mean"], color="C1", label=CONTROL)
        axis.set(xlabel="EER, % (± std over seeds)")
        axis.set_title(SET_NAMES[each], fontsize=9)
    axes[-1].barh(names, [steps.get(name, 0) for name in names], color="C2")
    axes[-1].set(xlabel="CPU ms a step, without its pictures")
    axes[0].invert_yaxis()
    drawing.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    save(drawing, path)


def decision(path: Path) -> list[str]:
    """The text below the mark in the last report, which a person wrote and which is kept."""
    if not path.exists() or DECISION not in (former := path.read_text(encoding="utf-8")):
        return ["Not yet decided."]
    return former.partition(DECISION)[2].strip().splitlines()


def markdown(content: Mapping[str, Any], titles: Mapping[str, str], decided: Sequence[str]) -> list[str]:
    models = content["models"]
    sets = list(next(iter(models.values()))["sets"])
    first = [
        [
            name,
            *(percent(models[name]["sets"][each]["eer"][at]) for each in sets for at in ("native", "16", "8")),
            *(percent(content["gains"].get(name, {}).get(each), interval=True, signed=True) for each in sets),
            f"{content['step_cpu_ms'][name]:.0f}",
        ]
        for name in content["step_cpu_ms"]
    ]
    headings = [f"{each}, {at}" for each in sets for at in ("native", "16", "8")]
    gains = [f"{each}, 30 to 8, against `{CONTROL}`, points" for each in sets]
    return [
        "# The table of methods",
        "",
        f"Every loss in turn beside the hard loss, and `{CONTROL}` alone. `{PAPER}` and `{QUICKSTART}` are the",
        "combinations of these recipes. Their teacher is one net that was trained on the same people; of names",
        "that begin with `dlib:` it is dlib's, which has seen real faces. Each loss has the weight of its paper;",
        "nothing was tuned here. A step is forward and backward through the student with the teacher targets, on",
        "one core, the losses taking turns; losses on maps run the teacher at every step.",
        "",
        f"![EER of each loss, and CPU time of a step]({NAME}.png)",
        "",
        INTERVALS,
        "",
        f"## EER, % ({'; '.join(f'{each}: {SET_NAMES[each]}' for each in sets)})",
        "",
        *table(["loss beside hard", *headings, *gains, "CPU ms a step"], first),
        *sweep_tables(models, titles),
        "## Weights",
        "",
        *(f"- `{name}`: {terms}" for name, terms in content["terms"].items() if name != CONTROL),
        "",
        "## How",
        "",
        *settings_lines(content),
        "",
        "## What it decided",
        "",
        DECISION,
        *decided,
    ]


if __name__ == "__main__":
    run_script(main)
