"""What is the teacher to be shown, and what label has a mixture of two faces?

Students of one size learn from dlib's net on views of rendered people: compared with its embeddings of the original
faces, of 1, 4 or 16 fixed views of each face (`teacher.views`), or of views drawn anew at each step; and once more on
drawn views, where the hard loss leaves mixtures out instead of taking both labels by their shares:
python benchmarks/teacher_views.py --seeds 0
python benchmarks/teacher_views.py --seeds 0 --only original fixed_4 drawn --people 150 --images 8 --steps 300
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facedistill.backbones import embed_crops, load_backbone
from facedistill.datasets.sources import parse_source
from facedistill.datasets.training_faces import TrainingFaces
from facedistill.heads.margins import AMSoftmax
from facedistill.pipelines.fidelity import Fidelity
from facedistill.recipe import HARD, HeadRecipe, LossTerm, NetRecipe, OptimiserRecipe, Recipe
from facedistill.recipe.files import read_recipe
from facedistill.recipe.parts import build_views
from facedistill.teachers import load_teachers
from facedistill.training import BEST
from facedistill.training.targets import TargetSpace, mean_embedding
from reporting import (
    INTERVALS,
    draw,
    estimate_dict,
    finished,
    percent,
    settings,
    settings_lines,
    summary,
    sweep_tables,
    table,
    write,
)
from running import TRAINING, Run, run_benchmark, run_script, tests_of
from sizing import Sizes, options_parser, sized

NAME = "teacher_views"
USUAL = Sizes(300, 12, 40, 20, 1200, 0, 64, teacher_width=1.0, student_width=0.5)
FULL = Sizes(8000, 30, 1000, 200, 50_000, 0, 256, teacher_width=1.0, student_width=0.8)
RECIPE = Path(__file__).parents[1] / "recipes" / "shipped" / "slim-m.yaml"
FIXED = (1, 4, 16)
LOSSES = {  # matching leads where the picture is sharp, telling people apart where it is small
    HARD: LossTerm(0.03, small=0.3),
    "cosine": LossTerm(1, small=0.6),
    "l2": LossTerm(2, small=1.2),
}
TITLES = {
    "original": "the original faces (K = 0)",
    **{f"fixed_{count}": f"{count} fixed view{'s' * (count > 1)} a face" for count in FIXED},
    "drawn": "views drawn anew",
    "left_out": "views drawn anew, mixtures without hard loss",
}


class WithoutMixtures(AMSoftmax):
    """AM-Softmax that takes no hard loss of mixtures of two faces."""

    def weighted_loss(
        self,
        embedding: Tensor,
        labels: Tensor,
        mixture: tuple[Tensor, Tensor] | None = None,
        face_weights: Tensor | None = None,
    ) -> Tensor:
        """The mean over the batch; a mixture counts as 0."""
        if mixture is not None:
            single = (mixture[1] >= 1).to(embedding.dtype)
            face_weights = single if face_weights is None else single * face_weights
        return super().weighted_loss(embedding, labels, None, face_weights)


def main(arguments: list[str] | None = None) -> None:
    parser = options_parser(__doc__, NAME, USUAL, FULL)
    run_benchmark(parser, arguments, USUAL, FULL, table_rows, report)


def table_rows(options: argparse.Namespace, sizes: Sizes) -> dict[str, list[Run]]:
    """Row of the table -> its runs, one a seed; those that only embed faces are rows of their own."""
    tests = tests_of(options)
    rows: dict[str, list[Run]] = {}
    for name in TITLES:
        rows[name] = []
        for seed in options.seeds:
            recipe = _recipe(name, sizes, options, seed)
            asking = replace(recipe, name=f"{recipe.name}-targets", out=f"{recipe.out}-targets")
            targets = Run(asking, trains=False, tests=tests)
            rows.setdefault(f"{name}-targets", []).append(targets)
            rows[name].append(Run(recipe, targets.folder, after=(targets.folder,), tests=tests, extra=fidelity))
    return rows


def _recipe(name: str, sizes: Sizes, options: argparse.Namespace, seed: int) -> Recipe:
    recipe = sized(read_recipe(RECIPE), sizes, options.out / f"{name}-{seed}", options, seed)
    images = sizes.steps * sizes.batch
    optimiser = OptimiserRecipe(
        0.0015,
        weight_decay=0.05,
        name="adamw",
        schedule="trapezoid",
        warmup_images=images // 10,
        cooldown_images=3 * images // 10,
    )
    count = int(name.removeprefix("fixed_")) if name.startswith("fixed_") else 0
    teacher = replace(recipe.teacher, input="view" if name in ("drawn", "left_out") else "original", views=count)
    head = HeadRecipe("amsoftmax", {"margin": 0.2, "scale": 32})
    if name == "left_out":
        head = replace(head, name=f"{NAME}:{WithoutMixtures.__name__}")
    student = NetRecipe("slim", width=sizes.student_width)  # from random weights, whatever the shipped one starts from
    return replace(recipe, optimiser=optimiser, teacher=teacher, head=head, student=student, losses=LOSSES, ema=0.99)


def fidelity(run: Run, faces: TrainingFaces) -> dict[str, Any]:
    """Mean cosine to the teacher, centred alike for all rows: by its mean over the people who are tested on."""
    recipe, teacher = run.recipe, load_teachers(run.recipe.all_teachers)
    assert faces.held_out is not None, "the benchmark keeps people out"
    stored = parse_source(recipe.data.faces).widest(faces.held_out, teacher.input_size, recipe.data.synth)
    places = np.linspace(0, len(stored) - 1, min(256, len(stored))).astype(int).tolist()
    mean = mean_embedding(teacher.embed(np.stack([stored[place].image for place in places]))[:, None])
    measure = Fidelity(teacher, TargetSpace(mean), stored, recipe.student.input_size, build_views(recipe))
    backbone = load_backbone(run.folder / BEST)
    with torch.no_grad():
        return dict(measure(lambda crops: embed_crops(backbone, crops)))


def report(options: argparse.Namespace, sizes: Sizes, rows: Mapping[str, list[Run]]) -> None:
    """Writes what is finished as JSON, Markdown and a picture."""
    results = finished({name: runs for name, runs in rows.items() if name in TITLES})
    if not results:
        print("nothing is finished yet")
        return
    models = {name: summary(each) for name, each in results.items()}
    for name, model in models.items():
        model["embedded"] = _embedded(rows[name][0].recipe, sizes)
        for figure in ("fidelity_rendered", "fidelity_real"):
            model[figure] = estimate_dict([result[figure] for result in results[name].values()])
    content: dict[str, Any] = settings(sizes, options.seeds) | {"models": models}
    bars = {name: {"training": model["seconds"][TRAINING]["cpu"]} for name, model in models.items()}
    draw(options.results / f"{NAME}.png", models, TITLES, bars, "CPU seconds of training")
    write(options.results, NAME, content, markdown(content))


def _embedded(recipe: Recipe, sizes: Sizes) -> int:
    """How many pictures the teacher embeds: once, and kept for later runs; or in each run, of drawn views."""
    faces = sizes.people * sizes.images
    return sizes.steps * sizes.batch if recipe.teacher.input == "view" else faces * (recipe.teacher.views or 2)


def markdown(content: Mapping[str, Any]) -> list[str]:
    models = content["models"]
    costs = [
        [
            TITLES[name],
            percent(model["fidelity_rendered"]),
            percent(model["fidelity_real"]),
            f"{model['embedded']:,}",
            f"{model['seconds'][TRAINING]['cpu']:.0f}",
        ]
        for name, model in models.items()
    ]
    return [
        "# What the teacher is shown",
        "",
        "The same people, views, degradations, steps and seeds in each row; the rows differ in the pictures whose",
        "embeddings by dlib's net the student is compared with, the last one in the hard loss of mixtures.",
        "",
        f"![EER over rows, and CPU time]({NAME}.png)",
        "",
        INTERVALS,
        "",
        *sweep_tables(models, TITLES),
        "## Fidelity and cost",
        "",
        "Fidelity: mean cosine to the centred teacher, in per cent, on the people tested on and on real faces.",
        "",
        "The teacher embeds cached pictures once for all runs of the same seed, and those of drawn views in each run.",
        "",
        *table(["", "rendered", "real", "embedded by the teacher", "training, CPU s"], costs),
        "## How",
        "",
        *settings_lines(content),
        "- Views and degradations of `recipes/shipped/slim-m.yaml`; a `slim` net from random weights.",
    ]


if __name__ == "__main__":
    run_script(main)
