"""How large a benchmark is: its options, and recipes and nets of that size."""

import argparse
from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch

from facedistill.backbones import build_backbone, count_macs
from facedistill.recipe import HELD_OUT, DataRecipe, Recipe, SynthRecipe


@dataclass(frozen=True)
class Sizes:
    """How large a benchmark is.

    Attributes:
        people: Synthetic people who are trained on.
        images: Pictures of each.
        held_out: People who are tested on.
        validation: People who choose the checkpoint.
        steps: Of a student.
        teacher_steps: Of a teacher, each time it is trained.
        batch: Faces in a batch.
        teacher_width: Of the teacher's net.
        student_width: Of the student's net.
    """

    people: int
    images: int
    held_out: int
    validation: int
    steps: int
    teacher_steps: int
    batch: int
    teacher_width: float
    student_width: float


def options_parser(description: str | None, name: str, usual: Sizes, full: Sizes) -> argparse.ArgumentParser:
    """The options that all of these benchmarks take; those of `Sizes` overrule `--full`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks") / name, help="the runs' folder")
    parser.add_argument("--results", type=Path, default=Path("docs/results"), help="where the report is written")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once, each with cores / jobs threads")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", metavar="ROW", help="run these rows of the table alone")
    parser.add_argument("--faces", default="synth", help="another face set than the rendered people")
    parser.add_argument("--skip-orl", action="store_true", help="test on unseen people of the set alone")
    parser.add_argument("--report", action="store_true", help="run nothing; report what is finished")
    parser.add_argument("--full", action="store_true", help=f"real sizes ({full})")
    for field, value in vars(usual).items():
        parser.add_argument(f"--{field.replace('_', '-')}", type=type(value), help=f"default: {value}")
    return parser


def sizes_of(options: argparse.Namespace, usual: Sizes, full: Sizes) -> Sizes:
    """The sizes that the options give."""
    given = {field: getattr(options, field) for field in vars(usual)}
    return replace(full if options.full else usual, **{field: value for field, value in given.items() if value})


def data_of(recipe: Recipe, sizes: Sizes, faces: str) -> DataRecipe:
    """The faces of a benchmark, the same for all of its runs."""
    everyone = sizes.people + sizes.held_out + sizes.validation
    return replace(
        recipe.data,
        faces=faces,
        synth=SynthRecipe(everyone, sizes.images),
        held_out_identities=sizes.held_out,
        validation_identities=sizes.validation,
    )


def sized(recipe: Recipe, sizes: Sizes, folder: Path, options: argparse.Namespace, seed: int = 0) -> Recipe:
    """A student's recipe at the benchmark's size, in a folder of its own."""
    return replace(
        recipe,
        name=folder.name,
        out=str(folder),
        data=data_of(recipe, sizes, options.faces),
        student=replace(recipe.student, width=sizes.student_width),
        steps=sizes.steps,
        batch_size=sizes.batch,
        validate_every=max(1, sizes.steps // 4),
        workers=0,  # each run is one process, whose CPU time is then all that it takes
        control=False,
        test=HELD_OUT,
        seed=seed,
    )


def sized_teacher(recipe: Recipe, sizes: Sizes, folder: Path, options: argparse.Namespace) -> Recipe:
    """A teacher's recipe at the benchmark's size."""
    small = sized(recipe, sizes, folder, options).labels_only()
    return replace(
        small,
        student=replace(small.student, width=sizes.teacher_width),
        steps=sizes.teacher_steps,
        validate_every=max(1, sizes.teacher_steps // 2),
    )


def width_for(net: str, macs: int, recipe: Recipe) -> float:
    """The width, in steps of 1/32, with which a net's multiply-accumulates come closest to `macs`."""
    size, embedding = recipe.student.input_size, recipe.student.embedding_size or 512

    def work(step: int) -> int:
        return macs_of(net, step / 32, embedding, size)

    steps = range(2, 129)
    above = bisect_left(steps, macs, 1, len(steps) - 1, key=work)
    return min(steps[above - 1 : above + 1], key=lambda step: abs(work(step) - macs)) / 32


@cache
def macs_of(net: str, width: float, embedding: int, size: tuple[int, int]) -> int:
    """Multiply-accumulates of a net for one face."""
    with torch.device("meta"):
        return count_macs(build_backbone(net, embedding, size, width))
